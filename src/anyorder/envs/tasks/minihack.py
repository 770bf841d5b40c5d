"""NetHack's mazes in MiniHack: the map that the agent remembers, and an expert that knows the whole of it.

What differs from ``MiniHack-MazeWalk-*``: the seed of the reset alone makes the maze; the observation is the square of the
screen that the maze fills, in NetHack's characters: ``@`` the agent, ``.`` floor, ``>`` the stairs, blank for walls and for
what was not seen yet (the mapped mazes show all from the start); ``info["success"]`` is True on the stairs.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import gymnasium as gym
import numpy as np

from anyorder.envs.tasks.ways import DIAGONAL, STRAIGHT, Place, shortest_way

MAP = "map"
SQUARES = {"9x9": (slice(7, 14), slice(36, 43)), "15x15": (slice(5, 18), slice(32, 45))}
"""Size of a maze, with its walls -> the rows and columns of the screen that its floor may take."""
AGENT, STAIRS, BLANK = map(ord, "@> ")


class SeededWalk(gym.Wrapper[Any, Any, Any, Any]):
    """A maze as this module describes it.

    Attributes:
        walk: its name, such as ``MazeWalk-9x9-v0``.
    """

    def __init__(self, env: gym.Env, walk: str) -> None:
        super().__init__(env)
        self.walk = walk
        self._square = SQUARES[walk.split("-")[-2]]
        rows, columns = (one.stop - one.start for one in self._square)
        self.observation_space = gym.spaces.Dict({MAP: gym.spaces.Box(0, 255, (rows, columns), np.uint8)})

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[dict[str, np.ndarray], dict]:
        """Start in a maze; the seed makes it."""
        if seed is not None:
            # NetHack's two generators; "reseed" would let it draw new seeds while it runs.
            self.unwrapped.seed(core=seed, disp=seed, reseed=False)  # type: ignore[attr-defined]
        observation, _ = self.env.reset(seed=seed, options=options)
        return self._seen(observation), {}

    def step(self, action: int) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        """Walk one square towards one of eight directions."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        status = info["end_status"].name  # NLE counts its own limit of steps as an end of the game
        success, late = status == "TASK_SUCCESSFUL", status == "ABORTED"
        return self._seen(observation), float(reward), terminated and not late, truncated or late, {"success": success}

    def _seen(self, observation: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {MAP: observation["chars"][self._square]}


def make_walk(walk: str, **options: Any) -> gym.Env:
    """A maze by its name without ``MiniHack-``, such as ``MazeWalk-9x9-v0``."""
    import minihack  # noqa: F401  (registers the environments)

    made = gym.make(f"MiniHack-{walk}", observation_keys=("chars",), disable_env_checker=True, **options)
    return SeededWalk(made, walk)


def walk_to_stairs(env: gym.Env, seed: int) -> Callable[[dict[str, np.ndarray]], int]:
    """An expert that knows the whole maze and takes the shortest way to the stairs."""
    whole = _whole_map(env.get_wrapper_attr("walk"), seed)
    free, stairs = whole != BLANK, _where(whole, STAIRS)
    numbers = _numbers(env)

    def act(observation: dict[str, np.ndarray]) -> int:
        here = _where(observation[MAP], AGENT)
        way = shortest_way(free, here, stairs, STRAIGHT + DIAGONAL)
        following = way[min(1, len(way) - 1)]
        return numbers[following[0] - here[0], following[1] - here[1]]

    return act


def _whole_map(walk: str, seed: int) -> np.ndarray:
    """uint8 ``[rows, columns]``: the maze of a seed, which the mapped variant shows whole."""
    return _mapped(walk.replace("Mapped-", "").replace("MazeWalk-", "MazeWalk-Mapped-")).reset(seed=seed)[0][MAP]


@lru_cache
def _mapped(walk: str) -> gym.Env:
    return make_walk(walk)


def _where(chars: np.ndarray, char: int) -> Place:
    row, column = np.argwhere(chars == char)[0]
    return int(row), int(column)


def _numbers(env: gym.Env) -> dict[Place, int]:
    """What a move adds to row and column -> the number of its action."""
    moves = {"N": (-1, 0), "E": (0, 1), "S": (1, 0), "W": (0, -1), "NE": (-1, 1), "SE": (1, 1), "SW": (1, -1), "NW": (-1, -1)}
    return {moves[action.name]: number for number, action in enumerate(env.unwrapped.actions)}  # type: ignore[attr-defined]
