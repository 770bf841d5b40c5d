"""From a configuration to the weights of targets."""

from __future__ import annotations

from anyorder.config import Balance, RunConfig
from anyorder.elements.grid import object_elements
from anyorder.training.loss import Weighting

GRID_MODEL_BALANCE: Balance = "field"
"""What null means for the grid model; docs/lab_notes.md says why. For other models of grids it is ``kind``."""


def weighting_of_grids(config: RunConfig, balance: Balance = "kind") -> Weighting:
    """How targets in grids are weighted: cells that hold an object may count more. ``balance`` is what null means."""
    training = config.training
    return Weighting(training.balance or balance, training.object_weight, config.data.filled_weight, object_elements)
