"""Everything on one side of a random cut is hidden. All ranks are equal, missions stay visible, returns are dropped.

Legend: B trajectories, E elements, T actions of a trajectory, steps 0..T.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from anyorder.elements.layout import Kind, Layout
from anyorder.masking.order import Order, reconstruct
from anyorder.masking.schedules import Rate
from anyorder.masking.strategies.base import episode, num_actions, uniform_below, until_some, whole_groups


@dataclass(frozen=True)
class Past:
    """What happened before? A cut c is uniform on 1..T; the observations and actions of the steps before c are
    targets, those from c on are context (past prediction of uniMASK, Carroll et al., 2022)."""

    def __call__(self, layout: Layout, generator: torch.Generator) -> Order:
        def draw(rows: Layout) -> Tensor:
            return rows.step < 1 + uniform_below(num_actions(rows), generator)[:, None]

        return reconstruct(layout, until_some(layout, episode(layout), draw))


@dataclass(frozen=True)
class Future:
    """What will happen? A cut c is uniform on 1..T; the observations from step c on and the actions from step c - 1 on
    are targets: all that follows observation c - 1 (future prediction of uniMASK, Carroll et al., 2022)."""

    def __call__(self, layout: Layout, generator: torch.Generator) -> Order:
        def draw(rows: Layout) -> Tensor:
            cut = 1 + uniform_below(num_actions(rows), generator)[:, None]
            # An action comes after the observation of its step: it counts as part of the next one.
            return rows.step + rows.of_kind(Kind.ACTION) >= cut

        return reconstruct(layout, until_some(layout, episode(layout), draw))


@dataclass(frozen=True)
class RandomAutoregressive:
    """Random autoregressive masking (MTM, Wu et al., 2023, ``AUTO_MASK``): a cut is drawn, everything from it on is
    hidden, and before it each unit is hidden independently with probability ``rate``. All that is hidden is a target,
    as in MTM; at least one target has no future to look at.

    With c uniform on 0..T-1 the cut lies before observation c with probability `CUT_BEFORE_OBSERVATION`, else after
    it, before action c.

    Attributes:
        rate: hidden share of the units before the cut; each trajectory draws it once.
    """

    rate: Rate

    def __call__(self, layout: Layout, generator: torch.Generator) -> Order:
        def draw(rows: Layout) -> Tensor:
            step = uniform_below(num_actions(rows), generator)
            before = torch.rand(len(step), generator=generator) < CUT_BEFORE_OBSERVATION
            first_hidden = (2 * step + ~before)[:, None]
            # Observation t is event 2t, action t event 2t + 1.
            event = 2 * rows.step + rows.of_kind(Kind.ACTION)
            return (event >= first_hidden) | whole_groups(rows.unit, rows.num_units, self.rate, generator)

        return reconstruct(layout, until_some(layout, episode(layout), draw))


CUT_BEFORE_OBSERVATION = 0.2
"""MTM cuts before states, returns and actions with chances 0.2, 0.1 and 0.7; here returns do not take part."""
