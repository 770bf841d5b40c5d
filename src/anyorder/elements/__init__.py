"""Trajectories as tensors: elements, their layout, batches."""
