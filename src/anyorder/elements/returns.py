"""Returns-to-go: the rewards that are still to come, as one of some levels."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from anyorder.types import Trajectory

NUM_RETURNS = 21
"""A return-to-go is 0 (nothing more is earned) or one of 20 equal parts of (0, 1], MiniGrid's range."""
_ROUNDING = 1e-4  # of sums of float32 rewards


def returns_to_go(rewards: np.ndarray) -> np.ndarray:
    """int64 ``[T]``: the sum of the rewards from each step on, as one of `NUM_RETURNS` levels; sums below 0 count as 0, those
    above 1 as 1."""
    earned = np.cumsum(rewards[::-1].astype(np.float64))[::-1].clip(0, 1)
    # Rounded before it becomes a level: a sum of float32 numbers is not exact, and could pass to the next level.
    return np.ceil(np.round(earned * (NUM_RETURNS - 1), 4)).astype(np.int64)


def returns_beyond(trajectories: Iterable[Trajectory]) -> tuple[float, float] | None:
    """The lowest and the highest return-to-go; None where all lie between 0 and 1, as `returns_to_go` supposes."""
    earned = [np.cumsum(trajectory.rewards[::-1].astype(np.float64)) for trajectory in trajectories]
    low, high = min(float(sums.min()) for sums in earned), max(float(sums.max()) for sums in earned)
    return None if low > -_ROUNDING and high < 1 + _ROUNDING else (low, high)
