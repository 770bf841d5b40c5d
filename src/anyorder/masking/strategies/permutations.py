"""Targets in a random order or block by block: groups one after another, or blocks of steps at a time.

Legend: B trajectories, E elements, G groups, K blocks.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from anyorder.elements.layout import Layout
from anyorder.masking.order import Order, reconstruct
from anyorder.masking.rounds import ROUND_GROUPS, group_numbers
from anyorder.masking.schedules import Rate
from anyorder.masking.strategies.base import ask_for, episode, random_places, until_some


@dataclass(frozen=True)
class Permutation:
    """Any-order autoregression (XLNet, Yang et al., 2019; Hoogeboom et al., 2022): every observation and action is a
    target; the trajectory's groups are ranked 1, 2, ... in a uniformly random order, so each is predicted from the
    mission and the true values of the groups ranked before it. Missions are context of rank 0, returns are dropped.

    Attributes:
        group: what has one rank: a ``unit`` (a whole observation or action), a ``cell`` or an ``element``. The grid model
            reads a trajectory once for each rank where an observation has several.
    """

    group: str = "unit"

    def __post_init__(self) -> None:
        if self.group not in ROUND_GROUPS:
            raise ValueError(f"the group of a permutation must be one of {', '.join(ROUND_GROUPS)}; found {self.group!r}")

    def __call__(self, layout: Layout, generator: torch.Generator) -> Order:
        asked = episode(layout)
        order = ask_for(layout, asked)
        number, num_groups = group_numbers(layout, self.group)
        ranked = torch.zeros(layout.shape[0], num_groups, dtype=torch.bool)
        ranked = ranked.scatter_reduce(1, number, asked, reduce="amax")
        ranks = 1 + random_places(ranked, generator).gather(1, number)
        return Order(order.roles, torch.where(asked, ranks, 0).to(torch.int32))


@dataclass(frozen=True)
class Blocks:
    """Block diffusion over time (BD3-LM, Arriola et al., 2025): steps are cut into blocks of ``length`` (the last one
    may be shorter), and the observations and actions of block n = 0, 1, ... have rank 1 + n. Each element is a target
    independently, with the rate that its block of its trajectory draws; the others are context. A target is predicted
    from what is shown of its own block, the true values of the blocks before it and the mission (rank 0). The
    distribution holds given that a trajectory has at least one target; returns are dropped.

    Attributes:
        length: steps of a block, at least 1.
        rate: hidden share; each block draws its own.
    """

    length: int
    rate: Rate

    def __post_init__(self) -> None:
        if self.length < 1:
            raise ValueError(f"a block must be at least 1 step long; found {self.length}")

    def __call__(self, layout: Layout, generator: torch.Generator) -> Order:
        asked = episode(layout)

        def draw(rows: Layout) -> Tensor:
            block = self._block(rows)
            num_blocks = int(block.max()) + 1
            rates = self.rate.sample(len(block) * num_blocks, generator).view(len(block), num_blocks)
            return torch.rand(rows.shape, generator=generator) < rates.gather(1, block)

        order = reconstruct(layout, until_some(layout, asked, draw))
        return Order(order.roles, torch.where(asked, 1 + self._block(layout), 0).to(torch.int32))

    def _block(self, layout: Layout) -> Tensor:
        """int64 ``[B, E]``: the number of each element's block."""
        return layout.step.clamp(min=0) // self.length
