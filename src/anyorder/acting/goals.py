"""Acting towards a goal that was seen, instead of a mission that was told.

Legend: B trajectories.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    """What is to be seen, and when.

    Attributes:
        view: the observation to arrive at; its mission is not told to the agent.
        step: when (MaskDP's time budget); an agent that is later aims at its next step.
    """

    view: View
    step: int


class GoalHistory(History):
    """What an agent has seen and done, and at its end, after a gap, what it is to see."""

    def __init__(self, vocabulary: GridVocabulary, goal: Goal) -> None:
        super().__init__(vocabulary, "")
        seen = History(vocabulary, "")
        seen.observe(goal.view)
        self._goal, self._step = seen.frame(0)[0], goal.step

    def encoded(self) -> Encoded:
        so_far = super().encoded()
        gap = np.zeros((max(0, self._step - len(self)), len(self._goal)), dtype=np.int64)
        frames = torch.cat([so_far.frames, torch.from_numpy(np.concatenate([gap, self._goal[None]]))])
        return Encoded(so_far.mission, so_far.words, frames, so_far.num_actions)


class GoalPolicy(ModelPolicy):
    """The next action towards a goal, of a model trained on `goal_conditioned` orders: no mission, the history so far and
    the goal; what lies between does not exist yet."""

    def towards(self, goal: Goal) -> Callable[[str], GoalHistory]:
        """From the mission of a new episode, which is ignored, to its empty history."""
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
    """int64 ``[B]``."""
    return torch.where(layout.present, layout.step, 0).amax(dim=1)
