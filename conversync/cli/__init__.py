"""The commands, a file each kind; `conversync.cli.main` gathers them."""
