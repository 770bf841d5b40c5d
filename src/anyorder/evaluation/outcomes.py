"""What became of every single episode, so that two policies can be compared episode by episode."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from anyorder.types import Trajectory

OUTCOMES_FILE = "episodes.json"


def outcomes(trajectories: Sequence[Trajectory]) -> dict[str, list[Any]]:
    """One entry per episode: its environment ``seed``, ``success``, summed ``reward``, ``length`` in actions, and the
    ``actions`` themselves: with the seed they are the whole episode (see `anyorder.report.replay`)."""
    return {
        "seed": [trajectory.seed for trajectory in trajectories],
        "success": [bool(trajectory.success) for trajectory in trajectories],
        "reward": [float(trajectory.rewards.sum()) for trajectory in trajectories],
        "length": [len(trajectory) for trajectory in trajectories],
        "actions": [trajectory.actions.tolist() for trajectory in trajectories],
    }
