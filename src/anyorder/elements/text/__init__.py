"""Text as elements: trajectories in words, and grid trajectories as tokens of a language model."""
