"""Imitation towards something seen in advance: a goal, or points on the way; and what lies on the way. Returns are dropped.

Legend: B trajectories, E elements, F steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from anyorder.elements.layout import Kind, Layout
from anyorder.masking.order import Order, Role, imitate
from anyorder.masking.strategies.base import ask_for, last_step, random_places, require_some


@dataclass(frozen=True)
class GoalConditioned:
    """Every action is a target, predicted from the trajectory's last observation (the goal, rank 0), the observations
    up to its step and the true actions before it. Nothing is random.

    Attributes:
        mission: True shows the mission, as context of rank 0; False makes it DROPPED, so that the goal alone says what to do.
        history: True shows the observations between the first and the last, in the order of events; False makes them
            DROPPED and an action is predicted from the start, the goal and the true actions before it.
    """

    mission: bool = False
    history: bool = True

    def __call__(self, layout: Layout, generator: torch.Generator) -> Order:
        goal = layout.of_kind(Kind.OBSERVATION) & (layout.step == last_step(layout)[:, None])
        return _imitate_towards(layout, goal, self.mission, self.history)


@dataclass(frozen=True)
class Waypoint:
    """Every action is a target, predicted from the waypoints (rank 0), the observations up to its step and the true
    actions before it. The waypoints are ``num_waypoints`` distinct observations, uniformly random among all but the
    first; all of them where the trajectory has fewer.

    Attributes:
        num_waypoints: at least 1.
        mission: True shows the mission, as context of rank 0; False makes it DROPPED.
        history: True shows the observations besides the first and the waypoints, in the order of events; False makes them
            DROPPED and an action is predicted from the start, the waypoints and the true actions before it.
    """

    num_waypoints: int = 2
    mission: bool = False
    history: bool = True

    def __post_init__(self) -> None:
        if self.num_waypoints < 1:
            raise ValueError(f"num_waypoints must be at least 1; found {self.num_waypoints}")

    def __call__(self, layout: Layout, generator: torch.Generator) -> Order:
        later = _later_observations(layout)
        chosen = later & (random_places(later, generator) < self.num_waypoints)
        at = chosen.gather(1, layout.step.clamp(0, later.shape[1] - 1))
        return _imitate_towards(layout, layout.of_kind(Kind.OBSERVATION) & at, self.mission, self.history)


@dataclass(frozen=True)
class Between:
    """What happened on the way? Every observation between the first and the last is a target, predicted from these two and
    the mission, with equal ranks; where there is none between them, the last one is, from the first. Actions and returns are
    dropped. Nothing is random."""

    def __call__(self, layout: Layout, generator: torch.Generator) -> Order:
        last, later = last_step(layout)[:, None], layout.of_kind(Kind.OBSERVATION) & (layout.step > 0) & layout.askable
        between = later & (layout.step < last)
        order = ask_for(layout, torch.where(between.any(dim=1, keepdim=True), between, later))
        order.roles[layout.of_kind(Kind.ACTION)] = Role.DROPPED
        return order


def _later_observations(layout: Layout) -> Tensor:
    """bool ``[B, F]``: the steps after the first that have an observation."""
    last = int(last_step(layout).max())
    found = torch.zeros(layout.shape[0], last + 1, dtype=torch.int64)
    found.scatter_add_(1, layout.step.clamp(0, last), (layout.of_kind(Kind.OBSERVATION) & (layout.step > 0)).long())
    return found > 0


def _imitate_towards(layout: Layout, known: Tensor, mission: bool, history: bool) -> Order:
    """Imitation where the observations ``known``, bool ``[B, E]``, are seen from the start."""
    require_some(layout.of_kind(Kind.ACTION) & layout.askable)
    order = imitate(layout)
    order.ranks[known] = 0
    if not mission:
        order.roles[layout.of_kind(Kind.MISSION)] = Role.DROPPED
    if not history:
        order.roles[layout.of_kind(Kind.OBSERVATION) & (layout.step > 0) & ~known] = Role.DROPPED
    return order
