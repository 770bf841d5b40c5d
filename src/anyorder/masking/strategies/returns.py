"""What is still to be earned, as a condition or as the question. Missions are context of rank 0.

Legend: B trajectories, E elements, T actions of a trajectory, steps 0..T.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

import torch

from anyorder.elements.layout import Kind, Layout
from anyorder.masking.order import Order, Role, imitate, in_turn
from anyorder.masking.strategies.base import ask_for, require_some, uniform_below


class KnownReturns(Enum):
    """Which returns-to-go an action may see."""

    TO_GO = auto()
    """The returns up to its step, in the order of events (Decision Transformer, Chen et al., 2021)."""
    EPISODE = auto()
    """All returns of the trajectory, of rank 0 (RCBC of MTM, RC_fixed of uniMASK)."""
    FIRST = auto()
    """The return of step 0 alone, of rank 0; the others are DROPPED (RC_fixed_first of uniMASK)."""


@dataclass(frozen=True)
class ReturnConditioned:
    """Imitation conditioned on returns-to-go: every action is a target, predicted from the mission, the known
    returns-to-go, the observations up to its step and the true actions before it. Nothing is random."""

    known: KnownReturns = KnownReturns.TO_GO

    def __call__(self, layout: Layout, generator: torch.Generator) -> Order:
        known = layout.of_kind(Kind.RETURN)
        if self.known is KnownReturns.FIRST:
            known = known & (layout.step == 0)
        require_some(known)
        require_some(layout.of_kind(Kind.ACTION) & layout.askable)
        order = imitate(layout)
        order.roles[known] = Role.CONTEXT
        if self.known is not KnownReturns.TO_GO:
            order.ranks[known] = 0
        return order


@dataclass(frozen=True)
class NextReturn:
    """Every return-to-go is a target, in the order of events: predicted from the mission, the observations up to its
    step and the true actions and returns before it (Multi-Game Decision Transformer, Lee et al., 2022). Where rewards
    come late, the return before is almost the answer; `Value` does not show it. Nothing is random."""

    def __call__(self, layout: Layout, generator: torch.Generator) -> Order:
        return in_turn(ask_for(layout, layout.of_kind(Kind.RETURN)), layout)


@dataclass(frozen=True)
class Value:
    """The value of a state: the return-to-go of one step, uniform on 0..T-1, is the only target, predicted from the
    mission, the observations up to its step and the true actions before it. All other returns are DROPPED."""

    def __call__(self, layout: Layout, generator: torch.Generator) -> Order:
        returns = layout.of_kind(Kind.RETURN)
        require_some(returns)
        num_returns = torch.where(returns, layout.step, 0).amax(dim=1) + 1
        step = uniform_below(num_returns, generator)[:, None]
        return in_turn(ask_for(layout, returns & (layout.step == step)), layout)
