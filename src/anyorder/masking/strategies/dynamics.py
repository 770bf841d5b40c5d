"""Forward, inverse and backward dynamics, for all steps in one pass.

Nothing is random; missions are context of rank 0, returns are dropped.

Legend: T actions of a trajectory, steps 0..T.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from anyorder.elements.layout import Kind, Layout
from anyorder.masking.order import Order, in_turn, look_ahead
from anyorder.masking.strategies.base import ask_for, last_step


@dataclass(frozen=True)
class ForwardDynamics:
    """Every observation but the first is a target, in the order of events: each is predicted from the mission and the
    true observations and actions before it. The first observation is context."""

    def __call__(self, layout: Layout, generator: torch.Generator) -> Order:
        return in_turn(ask_for(layout, layout.of_kind(Kind.OBSERVATION) & (layout.step > 0)), layout)


@dataclass(frozen=True)
class InverseDynamics:
    """Every action is a target: action t is predicted from the observations up to step t + 1, the true actions before
    it and the mission, and from nothing later (ranks of `look_ahead`)."""

    def __call__(self, layout: Layout, generator: torch.Generator) -> Order:
        return look_ahead(ask_for(layout, layout.of_kind(Kind.ACTION)), layout)


@dataclass(frozen=True)
class BackwardDynamics:
    """Time reversed: every observation but the last is a target, predicted from the true observations after it, the
    actions from its own step on and the mission, and from nothing earlier.

    With T the step of the trajectory's last observation, observation t has rank 2(T - t), action t is context of rank
    2(T - t) - 1.
    """

    def __call__(self, layout: Layout, generator: torch.Generator) -> Order:
        left = last_step(layout)[:, None] - layout.step
        actions, observations = layout.of_kind(Kind.ACTION), layout.of_kind(Kind.OBSERVATION)
        order = ask_for(layout, observations & (left > 0))
        ranks = torch.where(actions | observations, 2 * left - actions.long(), 0)
        return Order(order.roles, ranks.clamp(min=0).to(torch.int32))
