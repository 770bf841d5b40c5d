"""Plain reconstruction of one kind of parts: the masks of the AOMT paper, and missions.

All ranks are equal: each target sees everything visible, past and future. Each distribution holds given that at
least one element is hidden. What a strategy does not name stays visible, returns are dropped.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from anyorder.elements.layout import Kind, Layout
from anyorder.masking.order import Order, reconstruct
from anyorder.masking.schedules import Rate
from anyorder.masking.strategies.base import until_some, whole_groups
from anyorder.masking.strategies.groups import Unit


@dataclass(frozen=True)
class ActionsOnly:
    """AOMT-Action-Only: each action is hidden independently with probability ``rate``; observations stay visible."""

    rate: Rate

    def __call__(self, layout: Layout, generator: torch.Generator) -> Order:
        return _hide(Kind.ACTION, self.rate, layout, generator)


@dataclass(frozen=True)
class ObservationsOnly:
    """Each whole observation is hidden independently with probability ``rate``; actions stay visible."""

    rate: Rate

    def __call__(self, layout: Layout, generator: torch.Generator) -> Order:
        return _hide(Kind.OBSERVATION, self.rate, layout, generator)


@dataclass(frozen=True)
class Mixed(Unit):
    """AOMT-Mixed: each action and each whole observation is hidden independently with probability ``rate``, the
    distribution of `Unit` under the paper's name. Where nothing was hidden the paper hides one unit drawn uniformly;
    here all units are drawn again, which keeps the rate true given that something is hidden."""


@dataclass(frozen=True)
class MissionWords:
    """Which instruction was this: each word of the mission is hidden independently with probability ``rate`` (1: all of them);
    observations and actions stay visible. Trajectories without a mission have nothing to ask."""

    rate: Rate

    def __call__(self, layout: Layout, generator: torch.Generator) -> Order:
        def draw(rows: Layout) -> Tensor:
            return whole_groups(rows.cell, rows.num_cells, self.rate, generator)

        return reconstruct(layout, until_some(layout, layout.of_kind(Kind.MISSION), draw))


def _hide(kind: Kind, rate: Rate, layout: Layout, generator: torch.Generator) -> Order:
    def draw(rows: Layout) -> Tensor:
        return whole_groups(rows.unit, rows.num_units, rate, generator)

    return reconstruct(layout, until_some(layout, layout.of_kind(kind), draw))
