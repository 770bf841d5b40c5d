"""Masked language models in two copies, on transformers' blocks."""
