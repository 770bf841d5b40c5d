"""Which place in the world each cell of a view shows, and whether it was in sight before, so that it can be remembered.

Legend: F frames, X columns and Y rows of a view.
"""

from __future__ import annotations

import gymnasium as gym
import numpy as np

from anyorder.envs import minigrid
from anyorder.types import Trajectory

UNSEEN_OBJECT = 0
"""MiniGrid's object type of a cell that is out of sight."""


def places(trajectory: Trajectory) -> np.ndarray:
    """int64 ``[F, X, Y, 2]``: the position in the world (column, row; beyond its borders too) of each cell of each
    view, found by playing the episode again.

    Raises:
        AnyOrderError: when the environment cannot be made.
    """
    env = minigrid.make_env(trajectory.env_id)
    minigrid.reset(env, trajectory.seed)
    found = [places_now(env, trajectory.observations.shape[1:3])]
    for action in trajectory.actions.tolist():
        env.step(action)
        found.append(places_now(env, trajectory.observations.shape[1:3]))
    return np.stack(found)


def places_now(env: gym.Env, view: tuple[int, int]) -> np.ndarray:
    """int64 ``[X, Y, 2]``: as of `places`, of the present view; the agent is at its bottom middle, ahead is up."""
    columns, rows = view
    agent = minigrid.grid_world(env)
    column, row = np.meshgrid(np.arange(columns), np.arange(rows), indexing="ij")
    right, ahead = (column - columns // 2)[..., None], (rows - 1 - row)[..., None]
    return np.asarray(agent.agent_pos) + right * agent.right_vec + ahead * agent.dir_vec


def seen_before(trajectory: Trajectory, start: int) -> np.ndarray:
    """bool ``[T - start, X, Y]``: for each observation after step ``start``, True where the place of a cell was in sight
    in some observation up to ``start``."""
    where, in_sight = places(trajectory), trajectory.observations[..., 0] != UNSEEN_OBJECT
    known = {tuple(place) for place in where[: start + 1][in_sight[: start + 1]].tolist()}
    later = where[start + 1 :]
    flat = [tuple(place) in known for place in later.reshape(-1, 2).tolist()]
    return np.array(flat, dtype=bool).reshape(later.shape[:-1])
