"""MiniGrid and BabyAI environments: how to make them, reset them without their prints, and read what they show.

Import minigrid through this module: it first silences the greeting of pygame and the warnings of old packages.

What MiniGrid shows (checked on all its registered environments, version 3.2.0):

- ``image`` is uint8 ``[W, H, 3]``, *column first*: ``image[x, y]`` with the agent at ``[W // 2, H - 1]``, looking
  towards ``y = 0``. The view is 7x7 by default; its size is a setting, but it is always square with an odd side.
- The agent is never drawn in its own view: its cell shows what the agent carries, or "empty".
- The state of a door is 0 (open), 1 (closed) or 2 (locked); every other state is 0. In the fully observable view the
  agent is drawn, too, and its state is its direction 0..3; hence ``NUM_STATES`` is 4.
- The mission is in the observation, the same string at every step; ``info`` is empty.
"""

from __future__ import annotations

import contextlib
import io
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from anyorder.envs.modules import SEPARATOR
from anyorder.envs.registered import make_registered
from anyorder.errors import AnyOrderError

os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")  # must be set before minigrid imports pygame
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import gymnasium as gym
    import minigrid  # noqa: F401  (registers the environments)
    from minigrid.core.actions import Actions
    from minigrid.core.constants import COLOR_TO_IDX, OBJECT_TO_IDX, STATE_TO_IDX
    from minigrid.minigrid_env import MiniGridEnv

    from anyorder.envs.fast import quicken

for _level in [name for name in gym.registry if name.startswith("BabyAI-")]:
    _words = f"babyai-text/{_level.removeprefix('BabyAI-')}"
    gym.register(_words, "anyorder.envs.tasks.babyai_text:make_level", kwargs={"level": _level})

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


_BEYOND = np.array([NUM_OBJECTS, NUM_COLORS, NUM_STATES], np.uint8)


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


class NotMiniGrids(ValueError):
    """An observation that MiniGrid could not show; the message says what is wrong with it."""


def make_env(env_id: str) -> gym.Env:
    """Make a registered environment with MiniGrid's actions, whose observations have an image, a direction and a mission.

    Args:
        env_id: see `anyorder.envs.registered.make_registered`.

    Raises:
        AnyOrderError: for an environment that cannot be made (some of MiniGrid's need files that its wheel lacks), or one with
            other observations or actions.
    """
    return as_grid_env(env_id, make_registered(env_id))


def as_grid_env(env_id: str, env: gym.Env) -> gym.Env:
    """The same environment, faster.

    Raises:
        AnyOrderError: when it has other observations or actions than MiniGrid's.
    """
    _check_observations(env_id, env.observation_space)
    _check_actions(env_id, env.action_space)
    quicken(env.unwrapped)
    return env


def is_grid_env(env: gym.Env) -> bool:
    """True for MiniGrid's environments and those that look like them: an image of whole numbers [W, H, 3], a direction and a
    mission, and at most MiniGrid's actions."""
    if isinstance(env.unwrapped, MiniGridEnv):
        return True
    try:
        _check_observations("", env.observation_space)
        _check_actions("", env.action_space)
    except AnyOrderError:
        return False
    return True


def make_envs(env_ids: str) -> tuple[gym.Env, ...]:
    """The environments of a data set: one id, or several joined by ``+``; `level_of` says which of them a seed plays.

    Raises:
        AnyOrderError: see `make_env`; or when the views of the environments differ in size.
    """
    names = env_ids.split(SEPARATOR)
    return of_one_view(names, tuple(map(make_env, names)))


def of_one_view(names: Sequence[str], envs: tuple[gym.Env, ...]) -> tuple[gym.Env, ...]:
    """The same environments of `make_env`; raises an AnyOrderError when their views differ in size."""
    shapes = [_image_space(env).shape for env in envs]
    if len(set(shapes)) > 1:
        found = ", ".join(f"{name} {shape}" for name, shape in zip(names, shapes))
        raise AnyOrderError(f"environments of one data set must have views of one size; found {found}; choose others")
    return envs


def level_of(env_ids: str, seed: int) -> str:
    """The id of the environment that a seed plays: of n ids joined by ``+``, the one with index ``seed % n``."""
    names = env_ids.split(SEPARATOR)
    return names[seed % len(names)]


def num_actions_of(env: gym.Env) -> int:
    """How many actions an environment of `make_env` has, the first ones of MiniGrid's: 7, or 3 in
    MiniGrid-Dynamic-Obstacles-*."""
    assert isinstance(env.action_space, gym.spaces.Discrete)  # `make_env` has checked it
    return int(env.action_space.n)


def reset(env: gym.Env, seed: int) -> View:
    """Start an episode and return its first view. What the level generators print ("Sampling rejected: ...") is discarded.

    ``contextlib.redirect_stdout`` acts on the whole process, so it surrounds only the reset. Other threads that show
    progress meanwhile should write to stderr.

    Args:
        env: to be reset.
        seed: of 64 bits; a negative one stands for the unsigned number that has the same bits, as data sets store it.

    Raises:
        AnyOrderError: when the environment needs a package that is not installed, or shows what MiniGrid does not have.
    """
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            observation, _ = env.reset(seed=seed % 2**64)
        return read_view(observation)
    except (ImportError, gym.error.DependencyNotInstalled) as error:
        raise AnyOrderError(
            f"{_name(env)} needs a package that is not installed ({error}); install it, or choose another environment"
        ) from error
    except NotMiniGrids as error:
        raise AnyOrderError(f"{error}, in {_name(env)}; choose another environment, or wrap this one") from error


def read_view(observation: Mapping[str, Any]) -> View:
    """The view in an observation of an environment that :func:`make_env` made. The image is not copied.

    Raises:
        NotMiniGrids: for numbers or a mission that MiniGrid does not have.
    """
    image, direction, mission = observation["image"], int(observation["direction"]), observation["mission"]
    if not isinstance(mission, str):
        raise NotMiniGrids(f"the mission must be a string; found {type(mission).__name__}")
    if not 0 <= direction < NUM_DIRECTIONS:
        raise NotMiniGrids(f"the direction must lie between 0 and {NUM_DIRECTIONS - 1}; found {direction}")
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[-1] != len(_BEYOND):
        raise NotMiniGrids(f"the image must be uint8 [W, H, 3]; found {image.dtype} {image.shape}")
    if (image >= _BEYOND).any():
        raise NotMiniGrids(
            "the image must hold MiniGrid's numbers of objects, colors and states, below"
            f" {NUM_OBJECTS}, {NUM_COLORS} and {NUM_STATES}; found up to {image.max(axis=(0, 1)).tolist()}"
        )
    return View(image, direction, mission)


def grid_world(env: gym.Env) -> MiniGridEnv:
    """The MiniGrid environment itself, without its wrappers: the agent's position, the grid, how to draw it."""
    return cast(MiniGridEnv, env.unwrapped)


def _name(env: gym.Env) -> str:
    return repr(env.spec.id) if env.spec else type(env.unwrapped).__name__


def _image_space(env: gym.Env) -> gym.Space:
    assert isinstance(env.observation_space, gym.spaces.Dict)  # `make_env` has checked it
    return env.observation_space["image"]


def _check_observations(env_id: str, space: gym.Space) -> None:
    expected = {"image", "direction", "mission"}
    if not isinstance(space, gym.spaces.Dict) or not expected <= set(space):
        found = f"the keys {sorted(space)}" if isinstance(space, gym.spaces.Dict) else str(space)
        raise AnyOrderError(f"observations must have image, direction and mission; found {found} in {env_id!r}")
    image = space["image"]
    shape = image.shape or ()
    if image.dtype != np.uint8 or len(shape) != 3 or shape[-1] != 3:
        raise AnyOrderError(f"the image must be uint8 [W, H, 3]; found {image.dtype} {image.shape} in {env_id!r}")


def _check_actions(env_id: str, space: gym.Space) -> None:
    if not isinstance(space, gym.spaces.Discrete) or space.start != 0 or space.n > NUM_ACTIONS:
        raise AnyOrderError(
            f"the actions must be MiniGrid's, Discrete({NUM_ACTIONS}) or the first of them; found {space} in {env_id!r}; choose"
            " another environment, or wrap this one"
        )
