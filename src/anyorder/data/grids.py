"""Episodes of MiniGrid as trajectories of fields, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from gymnasium import spaces

from anyorder.data.storage import BEYOND
from anyorder.elements.grid_fields import GRID_PATHS, fields_of_grid, grid_spaces
from anyorder.envs.minigrid import NUM_ACTIONS, NUM_DIRECTIONS
from anyorder.types import FieldTrajectory, Trajectory

MISSION_PATH = "observation/mission"


def spaces_with_missions(trajectories: Sequence[Trajectory]) -> tuple[spaces.Space[Any], spaces.Space[Any]]:
    """The observation and the action space of grids as MiniGrid has them, but for its space of missions: here, one of texts."""
    missions = {trajectory.mission for trajectory in trajectories}
    characters = "".join(sorted(set("".join(missions)))) or " "
    mission = spaces.Text(max([1, *map(len, missions)]), min_length=0, charset=characters)
    columns, rows = trajectories[0].observations.shape[1:3]
    observation, action = grid_spaces(columns, rows)
    return spaces.Dict([*observation.spaces.items(), ("mission", mission)]), action


def fields_with_mission(grid: Trajectory) -> FieldTrajectory:
    """The same episode in these spaces."""
    fields = fields_of_grid(grid)
    missions = np.array([grid.mission] * (len(grid) + 1))
    return replace(fields, observations={**fields.observations, MISSION_PATH: missions})


def grids_of_fields(
    observation_space: spaces.Space[Any], action_space: spaces.Space[Any], trajectories: Sequence[FieldTrajectory]
) -> list[Trajectory] | None:
    """The same episodes in grids; None unless their spaces and all their values are MiniGrid's.

    Args:
        observation_space, action_space: of the environment.
        trajectories: of fields.
    """
    if not _has_grids(observation_space, action_space):
        return None
    found = [_grid(trajectory) for trajectory in trajectories]
    return [grid for grid in found if grid is not None] if all(grid is not None for grid in found) else None


def _has_grids(observation: spaces.Space[Any], action: spaces.Space[Any]) -> bool:
    if not isinstance(observation, spaces.Dict) or set(observation.spaces) != {"image", "direction", "mission"}:
        return False
    image, direction = observation["image"], observation["direction"]
    return (
        isinstance(image, spaces.Box)
        and image.dtype == np.uint8
        and len(image.shape) == 3
        and image.shape[2] == 3
        and isinstance(direction, spaces.Discrete)
        and (direction.n, direction.start) == (NUM_DIRECTIONS, 0)
        and isinstance(observation["mission"], spaces.Text)
        and isinstance(action, spaces.Discrete)
        and (action.n, action.start) == (NUM_ACTIONS, 0)
    )


def _grid(one: FieldTrajectory) -> Trajectory | None:
    recorded = {**one.observations, **one.actions}
    whole = set(recorded) == {*GRID_PATHS.values(), MISSION_PATH} and MISSION_PATH not in {**one.absent, **one.filled}
    if not whole or not (recorded[MISSION_PATH] == one.mission).all():
        return None
    arrays = {name: recorded[path] for name, path in GRID_PATHS.items()}
    if any(
        array.dtype.kind not in "iu" or (array >= BEYOND[name]).any() or (array < 0).any() for name, array in arrays.items()
    ):
        return None
    return Trajectory(
        env_id=one.env_id,
        seed=one.seed,
        mission=one.mission,
        **{name: array.astype(np.uint8) for name, array in arrays.items()},
        rewards=one.rewards.astype(np.float32),
        terminated=bool(one.terminations[-1]),
        truncated=bool(one.truncations[-1]),
        absent={name: one.absent[path] for name, path in GRID_PATHS.items() if path in one.absent},
        filled={name: one.filled[path] for name, path in GRID_PATHS.items() if path in one.filled},
    )
