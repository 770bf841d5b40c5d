"""Goals that were reached without being asked for: more goals from the same demonstrations.

Whatever an agent reached, it shows how to reach that (Hindsight Experience Replay, Andrychowicz et al. 2017; for imitation,
goal-conditioned supervised learning, Ghosh et al. 2021).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from anyorder.errors import AnyOrderError
from anyorder.types import FieldTrajectory

GOAL, REACHED = "desired_goal", "achieved_goal"
"""Paths of Gymnasium-Robotics' GoalEnv: what is asked for, and what of it there is."""


def with_hindsight(trajectories: Sequence[FieldTrajectory], copies: int, seed: int) -> list[FieldTrajectory]:
    """The trajectories, each followed by beginnings of it that end where a goal was reached that nobody had asked for.

    Args:
        trajectories: of an environment that observes `GOAL` and `REACHED`.
        copies: how many; 0 changes nothing.
        seed: of the steps at which the beginnings end, uniform over the episode.

    Raises:
        AnyOrderError: for trajectories without goals, unless ``copies`` is 0.
    """
    if not copies:
        return list(trajectories)
    if missing := [path for path in (GOAL, REACHED) if path not in trajectories[0].observations]:
        raise AnyOrderError(
            f"data.hindsight needs observations named {GOAL} and {REACHED}; {missing[0]} is missing; set it to 0, or name them"
            " so"
        )
    found = []
    for number, trajectory in enumerate(trajectories):
        ends = np.random.default_rng([seed, number]).integers(1, len(trajectory) + 1, copies)
        found += [trajectory, *(_beginning(trajectory, int(end)) for end in ends)]
    return found


def _beginning(trajectory: FieldTrajectory, end: int) -> FieldTrajectory:
    """The first ``end`` actions, as if what was reached then had been the goal."""
    observations = {path: array[: end + 1] for path, array in trajectory.observations.items()}
    reached = observations[REACHED]
    observations[GOAL] = np.repeat(reached[-1:], end + 1, axis=0)
    last = np.arange(end) == end - 1
    absent, filled = (
        {path: array[: end + (path in observations)] for path, array in gaps.items() if path != GOAL}
        for gaps in (trajectory.absent, trajectory.filled)
    )
    return FieldTrajectory(
        trajectory.env_id,
        trajectory.seed,
        observations,
        {path: array[:end] for path, array in trajectory.actions.items()},
        np.where(last, 1.0, 0.0),
        last,
        ~last & False,
        trajectory.mission,
        True,
        absent,
        filled,
    )
