"""The expert of Gymnasium's LunarLander: the heuristic that comes with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np


def land(env: gym.Env, seed: int) -> Callable[[np.ndarray], Any]:
    """An expert that steers towards the pad and slows down; for engines and for throttles."""
    from gymnasium.envs.box2d.lunar_lander import heuristic

    return lambda observation: heuristic(env.unwrapped, observation)
