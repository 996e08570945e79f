"""Loaders of other projects, each in an environment of its own: what they run, and the versions that are installed."""
