"""`conversync undo`: the newest load of a source is taken back, and the warehouse is as one that never loaded it."""
