"""The model of any spec: a bidirectional transformer with a token for each cell."""
