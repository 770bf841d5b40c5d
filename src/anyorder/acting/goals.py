"""Acting towards a goal that was seen, instead of a mission that was told.

Legend: B trajectories.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass

import numpy as np
import torch

from anyorder.acting.policy import History, ModelPolicy
from anyorder.elements.grid import Encoded, GridLayout, GridVocabulary
from anyorder.elements.layout import Kind
from anyorder.envs.minigrid import View
from anyorder.masking.order import Order, Role


@dataclass(frozen=True)
class Goal:
    """A view that the agent is to see, and when.

    Attributes:
        view: the observation to arrive at; the agent is not told its mission.
        step: when to see it (MaskDP's time budget); an agent that is past this step aims at its next one.
    """

    view: View
    step: int


class GoalHistory(History):
    """What an agent has seen and done so far and then, after a gap, the goal that it is to see."""

    def __init__(self, vocabulary: GridVocabulary, goal: Goal) -> None:
        super().__init__(vocabulary, "")
        seen = History(vocabulary, "")
        seen.observe(goal.view)
        self._goal, self._step = seen.frame(0)[0], goal.step

    def recent(self, num_frames: int | None) -> GoalHistory:
        """As of `History`; the goal, as far away as before, is one of the observations."""
        if num_frames is None or len(self) < num_frames:
            return self
        known, left_out = copy(self), len(self) - (num_frames - 1)
        known._frames, known._unknown = self._frames[left_out:], self._unknown[left_out:]
        known._step = self._step - left_out
        return known

    def encoded(self) -> Encoded:
        so_far = super().encoded()
        gap = np.zeros((max(0, self._step - len(self)), len(self._goal)), dtype=np.int64)
        frames = torch.cat([so_far.frames, torch.from_numpy(np.concatenate([gap, self._goal[None]]))])
        return Encoded(so_far.mission, so_far.words, frames, so_far.num_actions)


class GoalPolicy(ModelPolicy):
    """Chooses the next action towards a goal, with a model that was trained on `goal_conditioned` orders. The model sees the
    history so far and the goal, but no mission; the steps in between are absent."""

    def towards(self, goal: Goal) -> Callable[[str], GoalHistory]:
        """A function from the mission of a new episode, which it ignores, to the episode's empty history."""
        return lambda mission: GoalHistory(self.model.vocabulary, goal)

    def order(self, layout: GridLayout, histories: Sequence[History]) -> Order:
        order = super().order(layout, histories)
        lengths = torch.tensor([len(history) for history in histories])[:, None]
        observations = layout.of_kind(Kind.OBSERVATION)
        goal = observations & (layout.step == _last_step(layout)[:, None])
        order.roles[observations & (layout.step >= lengths) & ~goal] = Role.DROPPED
        order.ranks[goal] = 0
        return order


def _last_step(layout: GridLayout) -> torch.Tensor:
    """int64 ``[B]``, the last step of each trajectory."""
    return torch.where(layout.present, layout.step, 0).amax(dim=1)
