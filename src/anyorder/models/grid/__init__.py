"""The model for grids: who may see what, kernels between frames, registers over the episode."""
