"""An episode played again from its seed and its actions, with the whole world around the agent.

Legend: F frames, W columns and H rows of the world, X columns and Y rows of the agent's view.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np

from anyorder.envs import minigrid
from anyorder.pages.views import codes
from anyorder.types import Trajectory


@dataclass(frozen=True, eq=False)
class World:
    """All there is at one step.

    Attributes:
        cells: uint8 ``[W, H, 3]``, (object, color, state); the agent is not among them.
        lit: bool ``[W, H]``; True for what the agent sees.
        position: column and row of the agent.
        direction: 0..3, where it faces (0 is east, clockwise).
    """

    cells: np.ndarray
    lit: np.ndarray
    position: tuple[int, int]
    direction: int

    @classmethod
    def of(cls, env: gym.Env) -> World:
        """``env`` is a MiniGrid environment in the middle of an episode."""
        base = env.unwrapped
        column, row = base.agent_pos
        return cls(base.grid.encode(), _seen(base), (int(column), int(row)), int(base.agent_dir))

    def frame(self) -> dict[str, Any]:
        """What ``grid.js`` shows."""
        column, row = self.position
        return {
            "cells": codes(self.cells),
            "lit": self.lit.ravel().astype(int).tolist(),
            "agent": {"x": column, "y": row, "direction": self.direction},
        }


def replay(env_id: str, seed: int, actions: Sequence[int]) -> tuple[Trajectory, list[World]]:
    """Play an episode again; returns its record and the world at each of its F frames.

    Args:
        env_id: a registered environment.
        seed: of the episode.
        actions: at least one; what follows the end of the episode is left out.

    Raises:
        AnyOrderError: for an unknown environment.
    """
    env = minigrid.make_env(env_id)
    views, worlds, rewards = [minigrid.reset(env, seed)], [World.of(env)], []
    terminated = truncated = False
    for action in actions:
        observation, reward, terminated, truncated, _ = env.step(int(action))
        views.append(minigrid.read_view(observation))
        worlds.append(World.of(env))
        rewards.append(float(reward))
        if terminated or truncated:
            break
    record = Trajectory(
        env_id=env_id,
        seed=seed,
        mission=views[0].mission,
        observations=np.stack([view.image for view in views]),
        directions=np.array([view.direction for view in views], np.uint8),
        actions=np.array(actions[: len(rewards)], np.uint8),
        rewards=np.array(rewards, np.float32),
        terminated=terminated,
        truncated=truncated,
    )
    return record, worlds


def _seen(base: Any) -> np.ndarray:
    """bool ``[W, H]``: the cells that MiniGrid would highlight (its ``get_full_render`` has the same arithmetic)."""
    _, visible = base.gen_obs_grid()
    size = base.agent_view_size
    corner = base.agent_pos + base.dir_vec * (size - 1) - base.right_vec * (size // 2)
    seen = np.zeros((base.grid.width, base.grid.height), bool)
    for column, row in np.argwhere(visible):
        x, y = corner - base.dir_vec * row + base.right_vec * column
        if 0 <= x < base.grid.width and 0 <= y < base.grid.height:
            seen[x, y] = True
    return seen
