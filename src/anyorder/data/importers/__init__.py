"""Conversations as people have them, as data sets of text trajectories."""
