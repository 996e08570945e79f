"""The commands, a file each kind; `pipelines.cli` gathers them."""
