"""Trajectory: the immutable record of one episode.

Legend: T actions, T+1 observations, X columns and Y rows of the agent's view.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Trajectory:
    """One episode, checked once where it is born. Arrays are made read-only.

    Attributes:
        env_id: registered gymnasium id.
        seed: the seed given to ``env.reset``.
        mission: MiniGrid's instruction string.
        observations: uint8 ``[T+1, X, Y, 3]``, column first as MiniGrid gives them; the last axis is (object, color,
            state); the first observation is the one after ``reset``, the last one the one after the last action.
        directions: uint8 ``[T+1]``, 0..3, where the agent faces (0 is east, clockwise).
        actions: uint8 ``[T]``, T >= 1.
        rewards: float32 ``[T]``.
        terminated: True if the environment ended the episode.
        truncated: True if the step limit ended it.

    Raises:
        ValueError: naming the shape or dtype that was expected and the one that was found.
    """

    env_id: str
    seed: int
    mission: str
    observations: np.ndarray
    directions: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    terminated: bool
    truncated: bool

    def __post_init__(self) -> None:
        num_actions = len(self.actions)
        if num_actions < 1:
            raise ValueError("a trajectory has at least one action, found none")
        if self.observations.ndim != 4 or self.observations.shape[-1] != 3:
            raise ValueError(f"observations have shape [T+1, X, Y, 3], found {self.observations.shape}")
        for name, dtype, length in (
            ("observations", np.uint8, num_actions + 1),
            ("directions", np.uint8, num_actions + 1),
            ("actions", np.uint8, num_actions),
            ("rewards", np.float32, num_actions),
        ):
            array = getattr(self, name)
            if len(array) != length:
                raise ValueError(
                    f"{num_actions} actions go with {length} {name}, found {len(array)} (T actions, T+1 observations)"
                )
            if array.dtype != dtype:
                raise ValueError(f"{name} have dtype {np.dtype(dtype)}, found {array.dtype}")
            array.flags.writeable = False

    def __len__(self) -> int:
        """Number of actions T."""
        return len(self.actions)

    @property
    def success(self) -> bool:
        """True if the environment ended the episode with a positive reward."""
        return bool(self.terminated and self.rewards[-1] > 0)
