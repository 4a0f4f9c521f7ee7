"""Models on disk: what there is, what it takes, and whether it may be loaded."""
