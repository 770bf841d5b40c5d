"""Environments and the experts that play them."""
