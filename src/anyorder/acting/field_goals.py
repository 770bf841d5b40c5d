"""Acting towards a state that was seen, instead of a wish that was told, in any environment.

Legend: P elements of a frame.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from anyorder.acting.field_policy import FieldHistory, FieldPolicy
from anyorder.elements.fields import EncodedFields, FieldLayout, frame_columns
from anyorder.elements.hindsight import GOAL
from anyorder.elements.layout import Kind
from anyorder.elements.spec import ABSENT, Spec
from anyorder.masking.order import Order, Role


@dataclass(frozen=True, eq=False)
class FieldGoal:
    """An observation that the agent is to bring about, and when.

    Attributes:
        observation: path -> array.
        step: when to see it, at least 1; an agent that is past this step has as many steps once more.
    """

    observation: Mapping[str, np.ndarray]
    step: int


class FieldGoalHistory(FieldHistory):
    """The last observations and actions of an episode, and then, after a gap, the goal. What the environment says of its own
    wish (the mission, and `GOAL` where it is a part of the observation) is absent."""

    def __init__(self, spec: Spec, goal: FieldGoal, most_frames: int | None = None) -> None:
        super().__init__(spec, "", most_frames)
        self._goal, self._num_seen = goal, 0
        seen = FieldHistory(spec)
        seen.observe(goal.observation)
        self._aim = seen.encoded()
        columns = frame_columns(spec)
        wish = torch.tensor([one.source == GOAL for one in spec.fields])
        self._untold = wish[columns.attribute] & (columns.kind == Kind.OBSERVATION)

    def observe(self, observation: Mapping[str, np.ndarray], hidden: torch.Tensor | None = None) -> None:
        super().observe(observation, hidden)
        self._num_seen += 1

    def encoded(self, next_action: bool = False) -> EncodedFields:
        """As of `FieldHistory`, with the goal as its last frame."""
        so_far, now = super().encoded(next_action), self._num_seen - 1
        left = self._goal.step - now % self._goal.step
        frames = torch.cat([so_far.frames, self._aim.frames])
        return replace(
            so_far,
            frames=frames.masked_fill(self._untold, ABSENT),
            frame_numbers=torch.cat([so_far.frame_numbers, self._aim.frame_numbers]),
            steps=torch.tensor([*range(len(self)), len(self) - 1 + left]),
        )


class FieldGoalPolicy(FieldPolicy):
    """Chooses the next action towards a goal, with a model that was trained on `goal_conditioned` orders: the model sees the
    last observations and the goal, but no mission, and nothing of the steps in between."""

    def towards(self, goal: FieldGoal) -> FieldGoalHistory:
        """The empty history of a new episode."""
        return FieldGoalHistory(self.model.spec, goal, self.model.config.max_frames - 1)

    def order(self, layout: FieldLayout, histories: Sequence[FieldHistory]) -> Order:
        """As of `FieldPolicy`, with the goal known from the start."""
        order = super().order(layout, histories)
        lengths = torch.tensor([len(history) for history in histories])[:, None]
        frame = torch.arange(layout.frame_shape.num_frames).expand(len(histories), -1)
        layout.frame_shape.frames(order.ranks)[frame == lengths] = 0
        order.roles[layout.of_kind(Kind.MISSION)] = Role.DROPPED
        return order
