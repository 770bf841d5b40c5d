"""Drawings: films, tiles, plots, and tables of answers."""
