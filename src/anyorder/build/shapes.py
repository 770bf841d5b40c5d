"""Whether tensors are those of a model, before the model takes any memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn


def has_shapes(make: Callable[[], nn.Module], num_layers: int, tensors: Mapping[str, Tensor]) -> bool:
    """True if the model that ``make`` makes has tensors of these names and shapes. No memory is taken, however large its sizes
    are.

    Args:
        make: makes the model.
        num_layers: of the model, which has more tensors than layers: more layers than tensors need not be made.
        tensors: of a file.
    """
    if num_layers > len(tensors):
        return False
    try:
        with torch.device("meta"):
            model = make()
    except (ValueError, TypeError, RuntimeError, OverflowError):
        return False
    return shapes_of(model) == {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def shapes_of(model: nn.Module) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor, by name."""
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
