"""From a configuration to the weights of targets."""

from __future__ import annotations

from anyorder.config import RunConfig
from anyorder.elements.grid import object_elements
from anyorder.training.loss import Weighting


def weighting_of_grids(config: RunConfig) -> Weighting:
    """How targets in grids are weighted, whatever model is trained: cells that hold an object may count more."""
    training = config.training
    return Weighting(training.balance, training.object_weight, config.data.filled_weight, object_elements)
