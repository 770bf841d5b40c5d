"""What comes next, for all steps in one pass: the policy, the world model, or both. Nothing is random.

Missions are context of rank 0, returns are dropped.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from anyorder.elements.layout import Kind, Layout
from anyorder.masking.order import Order, imitate, in_turn
from anyorder.masking.strategies.base import ask_for, episode, require_some


@dataclass(frozen=True)
class NextAction:
    """Imitation (SFT): every action is a target, in the order of events: each is predicted from the mission, the
    observations up to its step and the true actions before it."""

    def __call__(self, layout: Layout, generator: torch.Generator) -> Order:
        require_some(layout.of_kind(Kind.ACTION) & layout.askable)
        return imitate(layout)


@dataclass(frozen=True)
class NextObservation:
    """The implicit world model (prefix SFT): every observation is a target, the first one too, in the order of events:
    each is predicted from the mission and the true observations and actions before it."""

    def __call__(self, layout: Layout, generator: torch.Generator) -> Order:
        return in_turn(ask_for(layout, layout.of_kind(Kind.OBSERVATION)), layout)


@dataclass(frozen=True)
class NextStep:
    """The joint autoregressive model (Trajectory Transformer, Janner et al., 2021, whole units at a time): every
    observation and action is a target, each predicted from the mission and the true observations and actions before
    it; policy and world model in one pass."""

    def __call__(self, layout: Layout, generator: torch.Generator) -> Order:
        return in_turn(ask_for(layout, episode(layout)), layout)
