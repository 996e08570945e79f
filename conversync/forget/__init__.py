"""`conversync forget`: one person leaves the warehouse, the books of sends, and all that was made of both."""
