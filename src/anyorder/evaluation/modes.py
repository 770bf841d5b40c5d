"""What a model is asked about a batch, in one pass or in several.

Legend: B trajectories, F frames, E elements.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import torch

from anyorder.elements.batch import Batch
from anyorder.elements.grid import GridLayout, grid_layout
from anyorder.elements.layout import Kind
from anyorder.masking.order import Order, Role
from anyorder.masking.strategies import Strategy


class Mode(Protocol):
    """Yields passes: a batch, or a part of it, and an order for it. No element is asked for in two passes."""

    def __call__(self, batch: Batch[GridLayout], generator: torch.Generator) -> Iterator[tuple[Batch[GridLayout], Order]]: ...


@dataclass(frozen=True)
class WholeTrajectory:
    """All that a strategy asks for, in one pass.

    Attributes:
        strategy: draws all that is random.
    """

    strategy: Strategy

    def __call__(self, batch: Batch[GridLayout], generator: torch.Generator) -> Iterator[tuple[Batch[GridLayout], Order]]:
        yield batch, self.strategy(batch.layout, generator)


@dataclass(frozen=True)
class Filtering:
    """The hidden parts of observation t, asked at time t: from the mission and what is visible of the observations up
    to t and of the actions before t; one pass for each t. What was hidden earlier stays hidden and is not asked again.

    Equal generators hide what `WholeTrajectory` hides with the same strategy. Hidden actions are not asked for: action t is
    not known at time t, and even its mask symbol would tell that the episode goes on.

    Attributes:
        strategy: chooses what is hidden; all targets must have equal ranks, as with `Cell`.
    """

    strategy: Strategy

    def __call__(self, batch: Batch[GridLayout], generator: torch.Generator) -> Iterator[tuple[Batch[GridLayout], Order]]:
        order, layout = self.strategy(batch.layout, generator), batch.layout
        asked = order.targets & layout.of_kind(Kind.OBSERVATION)
        for step in range(layout.grid.num_frames):
            rows = (asked & (layout.step == step)).any(dim=1).nonzero()[:, 0]
            if len(rows):
                prefix = _up_to(step, batch.rows(rows))
                length = prefix.layout.shape[1]
                drawn = Order(order.roles[rows, :length], order.ranks[rows, :length])
                yield prefix, _known_at(step, drawn, prefix.layout)


def _up_to(step: int, batch: Batch[GridLayout]) -> Batch[GridLayout]:
    """The first frames of trajectories that have this step: observations 0..step and the actions before it."""
    shape = replace(batch.layout.grid, num_frames=step + 1)
    num_frames = torch.full((len(batch.values),), step + 1)
    num_words = batch.layout.of_kind(Kind.MISSION).sum(dim=1)
    layout = grid_layout(shape, num_frames, num_frames - 1, num_words, batch.layout.missions)
    return Batch(batch.values[:, : shape.num_elements].masked_fill(~layout.present, 0), layout)


def _known_at(step: int, order: Order, layout: GridLayout) -> Order:
    """The targets of this step stay, earlier ones are HIDDEN; padding is DROPPED."""
    roles = order.roles.masked_fill(order.targets & (layout.step != step), Role.HIDDEN)
    return Order(roles.masked_fill(~layout.present, Role.DROPPED), order.ranks)
