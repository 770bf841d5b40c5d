"""The commands, one per module: each reads its options and calls the package."""
