"""What an agent knows while it acts: a past with holes, and no future.

Legend: B trajectories, E elements, T actions of a trajectory, steps 0..T.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from anyorder.elements.layout import Kind, Layout
from anyorder.masking.order import Order, Role
from anyorder.masking.schedules import Rate
from anyorder.masking.strategies.base import (
    NothingToAsk,
    Strategy,
    redraws,
    require_some,
    uniform_below,
    whole_groups,
)


@dataclass(frozen=True)
class Damaged:
    """The orders of ``strategy``, in which each cell (a grid square with its attributes, a direction, an action) is lost with
    probability ``rate``: it becomes HIDDEN, whether it was context or a target, so nobody sees it and nobody asks for it. Both
    are drawn again where no target is left. So a policy is trained on views with holes that are never filled in.

    Attributes:
        strategy: draws the order.
        rate: share of the cells that are lost; each trajectory draws it once.
        kinds: of the elements that may be lost; missions and returns never are.
    """

    strategy: Strategy
    rate: Rate
    kinds: Sequence[Kind] = (Kind.OBSERVATION,)

    def __post_init__(self) -> None:
        if not self.kinds or not set(self.kinds) <= {Kind.OBSERVATION, Kind.ACTION}:
            found = ", ".join(kind.name.lower() for kind in self.kinds) or "none"
            raise ValueError(f"the kinds that may be lost must be observation, action or both; found {found}")

    def __call__(self, layout: Layout, generator: torch.Generator) -> Order:
        order = self._draw(layout, generator)
        for empty in redraws(lambda: order.targets):
            again = self._draw(layout.rows(empty), generator)
            order.roles[empty], order.ranks[empty] = again.roles, again.ranks
        return order

    def _draw(self, layout: Layout, generator: torch.Generator) -> Order:
        order = self.strategy(layout, generator)
        lost = whole_groups(layout.cell, layout.num_cells, self.rate, generator) & layout.askable
        lost &= torch.isin(layout.kind, torch.tensor([int(kind) for kind in self.kinds])) & (order.roles != Role.DROPPED)
        return Order(order.roles.masked_fill(lost, Role.HIDDEN), order.ranks)


@dataclass(frozen=True)
class Cut:
    """A step is uniform on 0..T; ``strategy`` draws its order as if the trajectory ended with the observation of that step, and
    what follows is DROPPED. With `Cell` this asks for hidden cells of the present and the past, given no future (filtering).
    Where ``strategy`` can ask for nothing before some of the steps, the step is uniform over the others."""

    strategy: Strategy

    def __call__(self, layout: Layout, generator: torch.Generator) -> Order:
        observed = torch.where(layout.of_kind(Kind.OBSERVATION), layout.step, -1).amax(dim=1) + 1
        steps = torch.arange(max(int(observed.max()), 1))
        possible = steps < observed[:, None]
        require_some(possible)
        end = _one_of(possible, generator)
        while True:
            try:
                return self.strategy(_until(layout, end), generator)
            except NothingToAsk as found:
                vain = found.without
                possible[vain] &= steps != end[vain]
                require_some(possible)
                end[vain] = _one_of(possible[vain], generator)


def _one_of(possible: Tensor, generator: torch.Generator) -> Tensor:
    """int64 ``[B, 1]``: one of the possible steps, bool ``[B, T + 1]``, each equally likely."""
    number = uniform_below(possible.sum(dim=1), generator)[:, None]
    return (possible.cumsum(dim=1) > number).int().argmax(dim=1, keepdim=True)


def _until(layout: Layout, end: Tensor) -> Layout:
    """The layout of the trajectory up to the observation of step ``end``, int64 ``[B, 1]``."""
    gone = (layout.step > end) | (layout.step == end) & ~layout.of_kind(Kind.OBSERVATION)
    return replace(layout, kind=layout.kind.masked_fill(gone & ~layout.of_kind(Kind.MISSION), int(Kind.PADDING)))
