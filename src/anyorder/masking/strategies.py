"""Strategies: how a training order is drawn. ``strategy(layout, generator) -> Order``.

Every draw is made per trajectory. A draw that hides nothing is made again, so each distribution below holds
*given that at least one element is a target*. Adding a strategy is one class here and one row in `STRATEGIES`.

Legend: B trajectories, E elements.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from anyorder.data.layout import Attribute, Kind, Layout
from anyorder.masking.order import Order, imitate, reconstruct
from anyorder.masking.schedules import Rate


class Strategy(Protocol):
    """Draws one training order per trajectory of a batch; all randomness comes from ``generator`` (on the CPU)."""

    def __call__(self, layout: Layout, generator: torch.Generator) -> Order: ...


@dataclass(frozen=True)
class Cell:
    """Each cell (a grid square with its three attributes, a direction, an action) is hidden independently with
    probability ``rate``; the mission stays visible. Ranks are equal."""

    rate: Rate

    def __call__(self, layout: Layout, generator: torch.Generator) -> Order:
        return _draw_groups(layout, generator, self.rate, layout.cell, layout.num_cells, _episode(layout))


@dataclass(frozen=True)
class Unit:
    """Each unit (a whole observation or a whole action) is hidden independently with probability ``rate``."""

    rate: Rate

    def __call__(self, layout: Layout, generator: torch.Generator) -> Order:
        return _draw_groups(layout, generator, self.rate, layout.unit, layout.num_units, _episode(layout))


@dataclass(frozen=True)
class AttributeWise:
    """Each attribute of each cell is hidden independently, with probability ``rates[attribute]`` or else ``rate``.

    Attributes:
        rate: for every attribute not named in ``rates``.
        rates: from `Attribute` to its own rate. Each trajectory draws every rate once.
    """

    rate: Rate
    rates: Mapping[Attribute, Rate] = field(default_factory=dict)

    def __call__(self, layout: Layout, generator: torch.Generator) -> Order:
        eligible = _episode(layout)

        def draw(rows: Layout) -> Tensor:
            per_attribute = torch.stack(
                [self.rates.get(a, self.rate).sample(rows.shape[0], generator) for a in Attribute], dim=1
            )
            return torch.rand(rows.shape, generator=generator) < per_attribute.gather(1, rows.attribute)

        return reconstruct(layout, _until_some(layout, eligible, draw))


@dataclass(frozen=True)
class ActionsOnly:
    """Each action is hidden independently with probability ``rate``; observations and mission stay visible, both
    past and future (ranks are equal)."""

    rate: Rate

    def __call__(self, layout: Layout, generator: torch.Generator) -> Order:
        eligible = layout.of_kind(Kind.ACTION)
        return _draw_groups(layout, generator, self.rate, layout.unit, layout.num_units, eligible)


@dataclass(frozen=True)
class NextAction:
    """Imitation (SFT): every action is a target, everything is ranked by step, so each action is predicted from the
    mission, the observations up to its step and the true actions before it. Nothing is random."""

    def __call__(self, layout: Layout, generator: torch.Generator) -> Order:
        _require_some(layout, layout.of_kind(Kind.ACTION))
        return imitate(layout)


@dataclass(frozen=True)
class Mixture:
    """Each trajectory draws one of the ``strategies`` with probability proportional to ``weights``, then that
    strategy draws its order."""

    strategies: Sequence[Strategy]
    weights: Sequence[float]

    def __post_init__(self) -> None:
        if len(self.strategies) != len(self.weights) or not self.weights:
            raise ValueError(f"{len(self.strategies)} strategies need as many weights, found {len(self.weights)}")
        if min(self.weights) < 0 or sum(self.weights) <= 0:
            raise ValueError(f"weights are not negative and not all zero, found {list(self.weights)}")

    def __call__(self, layout: Layout, generator: torch.Generator) -> Order:
        weights = torch.tensor(self.weights, dtype=torch.float)
        drawn = torch.multinomial(weights, layout.shape[0], replacement=True, generator=generator)
        roles = torch.zeros(layout.shape, dtype=torch.uint8)
        ranks = torch.zeros(layout.shape, dtype=torch.int32)
        for number, strategy in enumerate(self.strategies):
            rows = (drawn == number).nonzero()[:, 0]
            if len(rows):
                order = strategy(layout.rows(rows), generator)
                roles[rows], ranks[rows] = order.roles, order.ranks
        return Order(roles, ranks)


STRATEGIES: dict[str, Callable[[Rate, Mapping[Attribute, Rate]], Strategy]] = {
    "cell": lambda rate, rates: Cell(rate),
    "attribute": lambda rate, rates: AttributeWise(rate, rates),
    "unit": lambda rate, rates: Unit(rate),
    "actions_only": lambda rate, rates: ActionsOnly(rate),
    "next_action": lambda rate, rates: NextAction(),
}
"""Name in a config -> strategy, from the rate and the rates per attribute."""


def _episode(layout: Layout) -> Tensor:
    return layout.of_kind(Kind.OBSERVATION) | layout.of_kind(Kind.ACTION)


def _draw_groups(
    layout: Layout, generator: torch.Generator, rate: Rate, group: Tensor, num_groups: int, eligible: Tensor
) -> Order:
    """Hide whole groups of elements; ``group`` is int64 ``[B, E]``, numbered below ``num_groups``."""

    def draw(rows: Layout) -> Tensor:
        chosen = torch.rand(rows.shape[0], num_groups, generator=generator)
        chosen = chosen < rate.sample(rows.shape[0], generator)[:, None]
        return chosen.gather(1, rows.cell if group is layout.cell else rows.unit)

    return reconstruct(layout, _until_some(layout, eligible, draw))


def _until_some(layout: Layout, eligible: Tensor, draw: Callable[[Layout], Tensor]) -> Tensor:
    """bool ``[B, E]``: drawn, and drawn again for the trajectories in which nothing eligible was hidden."""
    _require_some(layout, eligible)
    hidden = draw(layout) & eligible
    for _ in range(MAX_REDRAWS):
        empty = (~hidden.any(dim=1)).nonzero()[:, 0]
        if not len(empty):
            return hidden
        hidden[empty] = draw(layout.rows(empty)) & eligible[empty]
    raise ValueError(
        f"a trajectory had nothing hidden in {MAX_REDRAWS} draws; the rate is too low for its length, raise it"
    )


MAX_REDRAWS = 10_000


def _require_some(layout: Layout, eligible: Tensor) -> None:
    if not bool(eligible.any(dim=1).all()):
        raise ValueError("a trajectory has no element that this strategy could ask for; leave it out of the batch")
