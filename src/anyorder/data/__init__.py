"""Episodes on disk: collecting, storing and importing them. Knows no tensors and no masks."""
