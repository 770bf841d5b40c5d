"""MiniGrid's environments as any other: their missions are texts, and they say what succeeded."""

from __future__ import annotations

import string
from typing import Any

from anyorder.envs.minigrid import is_grid_env

import gymnasium as gym  # isort: skip  (after envs.minigrid, which silences what this import prints)
from gymnasium import spaces  # isort: skip

LONGEST_MISSION = 10_000


class WordedGrid(gym.Wrapper[Any, Any, Any, Any]):
    """A grid whose missions lie in a space of texts, and whose ``info`` says ``success``: the environment ended the episode
    with a positive reward."""

    def __init__(self, env: gym.Env) -> None:
        super().__init__(env)
        assert isinstance(env.observation_space, spaces.Dict)
        texts = spaces.Text(LONGEST_MISSION, min_length=0, charset=string.printable)
        self.observation_space = spaces.Dict({**env.observation_space.spaces, "mission": texts})

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        observation, reward, terminated, truncated, info = self.env.step(action)
        return observation, reward, terminated, truncated, {**info, "success": bool(terminated and float(reward) > 0)}


def worded(env: gym.Env) -> gym.Env:
    """The environment, as a `WordedGrid` if it is a grid."""
    return WordedGrid(env) if is_grid_env(env) else env
