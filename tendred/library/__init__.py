"""Every still made here: its file, its row, its receipt."""
