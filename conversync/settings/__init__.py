"""Settings: which there are, where they stand, who may have changed them, and a new project's files."""
