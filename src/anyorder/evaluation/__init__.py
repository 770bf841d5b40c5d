"""Numbers about a model, and their tables."""
