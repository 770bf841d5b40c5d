"""Grids as tokens of a language model."""
