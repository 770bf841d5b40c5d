"""Queries for the next action, the next observation, the action in between and the observation before: one step of a
training strategy.

Legend: T actions of a trajectory (its observations have steps 0..T).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from anyorder.elements.layout import Kind, Layout
from anyorder.masking.order import Order, imitate, in_turn, look_ahead, reconstruct
from anyorder.masking.queries.parts import Step, last_step_of, part_of, parts, within


@dataclass(frozen=True, eq=False)
class NextActionQuery:
    """Action ``step``, asked from the mission, the observations up to ``step`` and the actions before it, ranked as in
    imitation (`imitate`): what a policy answers after that history. 0 <= step < T."""

    step: Step

    def __call__(self, layout: Layout) -> Order:
        at = within("step", self.step, 0, last_step_of(layout, Kind.ACTION))
        step, action, observation = parts(layout)
        seen = observation & (step <= at) | action & (step < at)
        return part_of(imitate(layout), layout, action & (step == at), seen)


@dataclass(frozen=True, eq=False)
class ForwardDynamicsQuery:
    """Observation ``step + 1``, asked from the mission and the observations and actions up to ``step``, ranked in turn
    as in the strategy of this name: what follows? 0 <= step < T."""

    step: Step

    def __call__(self, layout: Layout) -> Order:
        at = within("step", self.step, 0, last_step_of(layout, Kind.OBSERVATION) - 1)
        step, action, observation = parts(layout)
        order = in_turn(reconstruct(layout, observation & (step > 0)), layout)
        return part_of(order, layout, observation & (step == at + 1), (observation | action) & (step <= at))


@dataclass(frozen=True, eq=False)
class InverseDynamicsQuery:
    """Action ``step``, asked from the mission, the observations up to ``step + 1`` and the actions before it, ranked as
    in the strategy of this name: what was done in between? 0 <= step < T."""

    step: Step

    def __call__(self, layout: Layout) -> Order:
        at = within("step", self.step, 0, last_step_of(layout, Kind.OBSERVATION) - 1)
        step, action, observation = parts(layout)
        order = look_ahead(reconstruct(layout, action), layout)
        return part_of(order, layout, action & (step == at), observation & (step <= at + 1) | action & (step < at))


@dataclass(frozen=True, eq=False)
class BackwardDynamicsQuery:
    """Observation ``step``, asked from the mission, the observations after it and the actions from ``step`` on, ranked
    back from the last observation as in the strategy of this name: where did this begin? 0 <= step < T."""

    step: Step

    def __call__(self, layout: Layout) -> Order:
        at = within("step", self.step, 0, last_step_of(layout, Kind.OBSERVATION) - 1)
        step, action, observation = parts(layout)
        left = last_step_of(layout, Kind.OBSERVATION) - step
        order = reconstruct(layout, observation & (left > 0))
        ranks = torch.where(action | observation, 2 * left - action.long(), 0).clamp(min=0).to(torch.int32)
        order = Order(order.roles, ranks)
        return part_of(order, layout, observation & (step == at), observation & (step > at) | action & (step >= at))
