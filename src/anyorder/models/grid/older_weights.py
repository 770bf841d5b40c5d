"""Weights of grid models from before they had all of today's parts."""

from __future__ import annotations

import torch
from torch import Tensor

from anyorder.models.grid.guesses import Guesser
from anyorder.models.grid.heading import Heading
from anyorder.models.grid.visibility import NUM_SYMBOLS, UNKNOWN_ACTION


def completed(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights of a grid model with what it lacks: a heading that says nothing, and layers that guess nothing. Others as
    they are."""
    embedding = tensors.get("embedding.weight")
    if embedding is None or embedding.ndim != 2:
        return tensors
    width, added = embedding.shape[1], dict[str, Tensor]()
    if not any(name.startswith("heading.") for name in tensors):
        silent = Heading(UNKNOWN_ACTION, width).state_dict()
        added |= {f"heading.{name}": torch.zeros_like(tensor) for name, tensor in silent.items()}
    layers = {name.split(".")[1] for name in tensors if name.startswith("layers.") and ".transport." in name}
    for layer in sorted(layers):
        if f"layers.{layer}.guess.weigh.bias" not in tensors:
            guess = Guesser(NUM_SYMBOLS, width, num_heads=1)
            guess.guess_nothing()
            added |= {f"layers.{layer}.guess.{name}": tensor for name, tensor in guess.state_dict().items()}
    return {**tensors, **added}
