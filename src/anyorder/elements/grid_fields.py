"""MiniGrid's trajectories as trajectories of fields: one spec among others.

Legend: T actions, X columns and Y rows of the agent's view.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from gymnasium import spaces

from anyorder.config import SpecConfig
from anyorder.elements.fitting import fit_spec
from anyorder.elements.spec import Spec
from anyorder.envs.minigrid import NUM_ACTIONS, NUM_DIRECTIONS
from anyorder.types import FieldTrajectory, Trajectory, without_mission

GRID_NAMES = {"image/0": "object", "image/1": "color", "image/2": "state"}


def grid_spaces(columns: int, rows: int) -> tuple[spaces.Dict, spaces.Discrete]:
    """Observation and action space of MiniGrid, for a view of this size; the mission is no observation here."""
    image = spaces.Box(0, 255, (columns, rows, 3), np.uint8)
    return spaces.Dict({"image": image, "direction": spaces.Discrete(NUM_DIRECTIONS)}), spaces.Discrete(NUM_ACTIONS)


GRID_PATHS = {"observations": "image", "directions": "direction", "actions": "action"}
"""Array of a `Trajectory` -> path of a `FieldTrajectory`."""


def fields_of_grid(trajectory: Trajectory) -> FieldTrajectory:
    """The same episode."""
    ends = np.arange(len(trajectory)) == len(trajectory) - 1
    return FieldTrajectory(
        trajectory.env_id,
        trajectory.seed,
        {"image": trajectory.observations, "direction": trajectory.directions.astype(np.int64)},
        {"action": trajectory.actions.astype(np.int64)},
        trajectory.rewards.astype(np.float64),
        ends & trajectory.terminated,
        ends & trajectory.truncated,
        trajectory.mission,
        trajectory.success,
        {GRID_PATHS[name]: where for name, where in trajectory.absent.items()},
        {GRID_PATHS[name]: probability for name, probability in without_mission(trajectory.filled).items()},
    )


def grid_spec(trajectories: Sequence[FieldTrajectory], config: SpecConfig) -> Spec:
    """The spec of a training split that `fields_of_grid` made, with MiniGrid's names."""
    columns, rows = trajectories[0].observations["image"].shape[1:3]
    return fit_spec(*grid_spaces(columns, rows), trajectories, replace(config, names={**GRID_NAMES, **(config.names or {})}))
