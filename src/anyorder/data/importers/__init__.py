"""Readers of what others recorded, one for each kind of file."""
