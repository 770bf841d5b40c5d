"""Actions towards something known in advance.

Legend: T actions of a trajectory (its observations have steps 0..T).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from anyorder.elements.layout import Kind, Layout
from anyorder.masking.order import Order, Role, imitate
from anyorder.masking.queries.parts import Step, last_step_of, part_of, parts, within


@dataclass(frozen=True, eq=False)
class WaypointsQuery:
    """Action ``step``, asked from the observations up to ``step``, the actions before it and the later observations
    ``waypoints`` (rank 0, known from the start), ranked as in the strategy `Waypoint`. Everything else is DROPPED.

    Attributes:
        step: 0 <= step < T.
        waypoints: steps between step + 1 and the last observation's; at least one.
        mission: True shows the mission; otherwise it is DROPPED and the waypoints alone say what to do.
    """

    step: Step
    waypoints: Sequence[Step]
    mission: bool = False

    def __call__(self, layout: Layout) -> Order:
        at = within("step", self.step, 0, last_step_of(layout, Kind.ACTION))
        if not len(self.waypoints):
            raise ValueError("a query for an action towards waypoints must name at least one waypoint; found none")
        step, action, observation = parts(layout)
        known = torch.zeros_like(observation)
        for waypoint in self.waypoints:
            point = within("a later step to reach", waypoint, at + 1, last_step_of(layout, Kind.OBSERVATION))
            known |= observation & (step == point)
        order = imitate(layout)
        order.ranks[known] = 0
        if not self.mission:
            order.roles[layout.of_kind(Kind.MISSION)] = Role.DROPPED
        seen = known | observation & (step <= at) | action & (step < at)
        return part_of(order, layout, action & (step == at), seen)


@dataclass(frozen=True, eq=False)
class GoalConditionedActionQuery:
    """Action ``step``, asked from the observations up to ``step``, the actions before it and one later observation,
    ``goal_step``, ranked as in the strategy `GoalConditioned`; what lies between, and after, is DROPPED.

    Attributes:
        step: 0 <= step < T.
        goal_step: between step + 1 and the last observation's step.
        mission: True shows the mission; otherwise it is DROPPED and the goal alone says what to do.
    """

    step: Step
    goal_step: Step
    mission: bool = False

    def __call__(self, layout: Layout) -> Order:
        return WaypointsQuery(self.step, (self.goal_step,), self.mission)(layout)
