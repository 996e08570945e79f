"""Several accounts of one vendor."""
