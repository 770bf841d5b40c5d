"""Gymnasium-Robotics' PointMaze, as episodes that end at the goal, and an expert that drives there.

The expert is the one that Minari's and D4RL's data of these mazes come from: a way through the cells of the map, and a
controller that accelerates towards the next cell in proportion to its distance and against the speed.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Mapping
from typing import Any

import gymnasium as gym
import numpy as np

from anyorder.envs.tasks.ways import Place, shortest_way

PULL, BRAKE = 10.0, 1.0
"""Acceleration for each unit of distance, and against each unit of speed."""
NEAR = 0.1
"""Distance at which a cell counts as reached."""
_WALL = 1


def make_maze(size: str, **options: Any) -> gym.Env:
    """``PointMaze_{size}-v3`` whose episode ends, with success, at the goal, which stays where it is."""
    with contextlib.redirect_stderr(io.StringIO()):  # it says that other environments of it have new versions
        import gymnasium_robotics

    gym.register_envs(gymnasium_robotics)
    settings = {"continuing_task": False, "reset_target": False, **options}
    return gym.make(f"PointMaze_{size}-v3", max_episode_steps=-1, disable_env_checker=True, **settings)


def drive(env: gym.Env, seed: int) -> Callable[[Mapping[str, np.ndarray]], np.ndarray]:
    """An expert that drives from cell to cell by the shortest way. It plans anew when it has been driven off its way."""
    maze: Any = env.unwrapped.maze  # type: ignore[attr-defined]
    free = np.array([[cell != _WALL for cell in row] for row in maze.maze_map])

    def cell_of(place: np.ndarray) -> Place:
        row, column = maze.cell_xy_to_rowcol(place)
        return int(row), int(column)

    def middle(cell: Place) -> np.ndarray:
        return maze.cell_rowcol_to_xy(np.array(cell))

    way: list[Place] = []

    def act(observation: Mapping[str, np.ndarray]) -> np.ndarray:
        nonlocal way
        place, goal = observation["achieved_goal"], observation["desired_goal"]
        here, there = cell_of(place), cell_of(goal)
        if here not in way[:2] or way[-1] != there:
            way = shortest_way(free, here, there)
        if len(way) > 1 and np.linalg.norm(middle(way[1]) - place) <= NEAR:
            way = way[1:]
        following = way[min(1, len(way) - 1)]
        aim = goal if following == there else middle(following)
        action = PULL * (aim - place) - BRAKE * observation["observation"][2:]
        return np.clip(action, -1.0, 1.0).astype(np.float32)

    return act
