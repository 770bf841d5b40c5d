"""Models that rebuild what an order hides: one for grids, language models, and language models that read grids as text."""
