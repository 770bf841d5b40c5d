"""An episode as the page shows it.

Legend: F frames, X columns and Y rows of the agent's view.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from anyorder.elements.batch import Batch
from anyorder.elements.grid import Encoded, GridLayout, collate
from anyorder.elements.layout import Layout
from anyorder.envs.minigrid import NUM_ACTIONS, View
from anyorder.errors import AnyOrderError
from anyorder.masking.order import reconstruct
from anyorder.pages.world import World


@dataclass(frozen=True, eq=False)
class Scene:
    """An episode, whole or so far.

    Attributes:
        env_id, seed: where it was played.
        views: F of them.
        actions: F - 1.
        encoded: the same episode as values.
        outcome: ``success``, ``failure`` (it ended without a reward), ``truncated`` (the step limit) or ``running``.
        worlds: F of them, or none where the environment does not reproduce the recording.
        num_actions: how many actions the environment has; all of MiniGrid's where it is not known.
    """

    env_id: str
    seed: int
    views: Sequence[View]
    actions: Sequence[int]
    encoded: Encoded
    outcome: str
    worlds: Sequence[World]
    num_actions: int = NUM_ACTIONS

    def batch(self, size: tuple[int, int]) -> Batch[GridLayout]:
        """A batch of this episode alone; ``size`` is columns and rows of the view."""
        return Batch(*collate([self.encoded], *size))

    def to_json(self, size: tuple[int, int]) -> dict[str, Any]:
        """Plain values; ``roles`` are those of an episode in which nothing is hidden, a digit per element."""
        layout = self.batch(size).layout
        roles = reconstruct(layout, torch.zeros_like(layout.present)).roles
        return {
            "env_id": self.env_id,
            "seed": self.seed,
            "mission": self.encoded.mission,
            "num_words": layout.grid.num_words,
            "columns": size[0],
            "rows": size[1],
            "frames": [{"cells": view.image.ravel().tolist(), "direction": view.direction} for view in self.views],
            "actions": list(self.actions),
            "outcome": self.outcome,
            "roles": digits(roles),
            "worlds": [world.frame() for world in self.worlds],
        }


def digits(roles: torch.Tensor) -> str:
    """The roles of one trajectory (``[1, E]``), a digit each."""
    return "".join(map(str, roles[0].tolist()))


def from_digits(roles: str, layout: Layout) -> torch.Tensor:
    """int64 ``[1, E]``, the roles of one trajectory. Raises AnyOrderError if the number of digits is not E."""
    if len(roles) != layout.shape[1]:
        raise AnyOrderError(
            f"there must be one role for each of this episode's {layout.shape[1]} elements; found {len(roles)} roles;"
            " load it again"
        )
    return torch.tensor([[int(role) for role in roles]])
