"""What listings are read by, piece by piece."""
