"""Data sets in the formats of others."""
