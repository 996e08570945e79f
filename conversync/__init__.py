"""What runs: the command, and what it is made of."""
