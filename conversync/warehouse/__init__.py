"""What is written to: the destination and its lock, the tables, views and comments in it, and the published copy."""
