"""Scores of a model, and the tables that show them."""
