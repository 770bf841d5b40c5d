"""MiniGrid and BabyAI environments: making them, resetting them quietly, and reading what they show.

Import minigrid through this module: it silences the greeting of pygame and the warnings of old packages first.

What MiniGrid shows (checked on all its registered environments, version 3.2.0):

- ``image`` is uint8 ``[W, H, 3]``, *column first*: ``image[x, y]`` with the agent at ``[W // 2, H - 1]``, looking
  towards ``y = 0``. The view is 7x7 by default and always square, and odd, but its size is a setting.
- The agent is never drawn in its own view: its cell holds what it carries, or "empty".
- The state is 0 but for doors (0 open, 1 closed, 2 locked). In the fully observable view the agent is drawn too, with
  its direction 0..3 as state; hence ``NUM_STATES`` is 4.
- The mission is in the observation, the same string at every step; ``info`` is empty.
"""

from __future__ import annotations

import contextlib
import difflib
import io
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from anyorder.errors import AnyOrderError

os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")  # must be set before minigrid imports pygame
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import gymnasium as gym
    import minigrid  # noqa: F401  (registers the environments)
    from minigrid.core.actions import Actions
    from minigrid.core.constants import COLOR_TO_IDX, OBJECT_TO_IDX, STATE_TO_IDX
    from minigrid.minigrid_env import MiniGridEnv

OBJECTS: tuple[str, ...] = tuple(sorted(OBJECT_TO_IDX, key=OBJECT_TO_IDX.__getitem__))
COLORS: tuple[str, ...] = tuple(sorted(COLOR_TO_IDX, key=COLOR_TO_IDX.__getitem__))
DOOR_STATES: tuple[str, ...] = tuple(sorted(STATE_TO_IDX, key=STATE_TO_IDX.__getitem__))
ACTIONS: tuple[str, ...] = tuple(action.name for action in Actions)
DIRECTIONS = ("east", "south", "west", "north")

NUM_OBJECTS = len(OBJECTS)
NUM_COLORS = len(COLORS)
NUM_DIRECTIONS = len(DIRECTIONS)
NUM_STATES = max(len(DOOR_STATES), NUM_DIRECTIONS)  # a door's state, or the direction of a drawn agent
NUM_ACTIONS = len(ACTIONS)
SEPARATOR = "+"
"""Between the ids of several environments; no gymnasium id has it."""


@dataclass(frozen=True)
class View:
    """What the agent is shown at one step.

    Attributes:
        image: uint8 ``[W, H, 3]``; the last axis is (object, color, state).
        direction: 0..3, where the agent faces (0 is east, clockwise).
        mission: the instruction.
    """

    image: np.ndarray
    direction: int
    mission: str


def make_env(env_id: str) -> gym.Env:
    """Make a registered environment whose observations have an image, a direction and a mission.

    Args:
        env_id: a full gymnasium id with its version; ``module:id`` imports a module that registers it first.

    Raises:
        AnyOrderError: for an id that is not registered, an environment that cannot be made (some of MiniGrid's need
            files that its wheel lacks), or one with other observations.
    """
    if env_id not in gym.registry and ":" not in env_id:
        raise AnyOrderError(f"there is no environment {env_id!r}{_suggestion(env_id)}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "is out of date": the id names a version on purpose
            # The passive checker warns about correct MiniGrid environments and costs a tenth of the speed.
            env = gym.make(env_id, disable_env_checker=True)
    except Exception as error:  # a constructor may raise anything
        raise AnyOrderError(
            f"the environment {env_id!r} could not be made ({type(error).__name__}: {error}); choose another"
        ) from error
    _check_observations(env_id, env.observation_space)
    return env


def make_envs(env_ids: str) -> tuple[gym.Env, ...]:
    """The environments of a data set: one, or several that are joined by ``+`` and take turns, seed by seed.

    Raises:
        AnyOrderError: as `make_env`, or for environments whose views differ in size.
    """
    names = env_ids.split(SEPARATOR)
    envs = tuple(map(make_env, names))
    shapes = [env.observation_space["image"].shape for env in envs]
    if len(set(shapes)) > 1:
        found = ", ".join(f"{name} {shape}" for name, shape in zip(names, shapes))
        raise AnyOrderError(f"environments that share a data set have views of one size; found {found}")
    return envs


def level_of(env_ids: str, seed: int) -> str:
    """Which environment a seed belongs to, where several are joined by ``+``: number (seed mod how many they are)."""
    names = env_ids.split(SEPARATOR)
    return names[seed % len(names)]


def reset(env: gym.Env, seed: int) -> View:
    """Start an episode. What the level generators print ("Sampling rejected: ...") is swallowed.

    ``contextlib.redirect_stdout`` acts on the whole process, so it surrounds nothing but the reset; write progress
    to stderr when other threads are at work.
    """
    with contextlib.redirect_stdout(io.StringIO()):
        observation, _ = env.reset(seed=seed)
    return read_view(observation)


def read_view(observation: Mapping[str, Any]) -> View:
    """Read an observation of an environment that :func:`make_env` made. The image is not copied."""
    return View(observation["image"], int(observation["direction"]), observation["mission"])


def grid_world(env: gym.Env) -> MiniGridEnv:
    """The MiniGrid environment itself, without its wrappers: the agent's position, the grid, how to draw it."""
    return cast(MiniGridEnv, env.unwrapped)


def _suggestion(env_id: str) -> str:
    known = [name for name in gym.registry if name.startswith(("MiniGrid-", "BabyAI-"))]
    close = difflib.get_close_matches(env_id, known, n=3)
    return f"; did you mean {' or '.join(close)}?" if close else "; ids look like BabyAI-GoToRedBall-v0"


def _check_observations(env_id: str, space: gym.Space) -> None:
    expected = {"image", "direction", "mission"}
    if not isinstance(space, gym.spaces.Dict) or not expected <= set(space):
        found = f"the keys {sorted(space)}" if isinstance(space, gym.spaces.Dict) else str(space)
        raise AnyOrderError(f"observations have image, direction and mission; those of {env_id!r} are {found}")
    image = space["image"]
    if image.dtype != np.uint8 or len(image.shape or ()) != 3 or image.shape[-1] != 3:
        raise AnyOrderError(f"the image is uint8 [W, H, 3]; that of {env_id!r} is {image.dtype} {image.shape}")
