"""What rebuilds: a model for grids, language models, and grids told to language models."""
