"""Environments and a bot that play the same episodes in less time: MiniGrid's, wherever a class has not its own way.

An environment that comes from `anyorder.envs.minigrid.make_env` becomes one of a class made here, a subclass of its own class.
Nobody else's environments change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, cast

import gymnasium as gym
from minigrid.core.grid import Grid
from minigrid.core.roomgrid import RoomGrid
from minigrid.envs.babyai.core.levelgen import LevelGen
from minigrid.envs.babyai.core.roomgrid_level import RoomGridLevel
from minigrid.minigrid_env import MiniGridEnv
from minigrid.utils.baby_ai_bot import BabyAIBot

from anyorder.envs import fast_generation, fast_view
from anyorder.envs.fast_bot import FastBot

AnyBot = BabyAIBot | FastBot
_VIEW = {"gen_obs_grid": MiniGridEnv.gen_obs_grid, "get_view_exts": MiniGridEnv.get_view_exts}
_SIGHT = {**_VIEW, "dir_vec": MiniGridEnv.dir_vec, "right_vec": MiniGridEnv.right_vec}  # what the fast bot finds out itself
_REPLACED: dict[str, tuple[Callable[..., Any], Mapping[str, Any]]] = {
    "gen_obs": (fast_view.gen_obs, {**_VIEW, "gen_obs": MiniGridEnv.gen_obs}),
    "place_obj": (fast_generation.place_obj, {"place_obj": MiniGridEnv.place_obj}),
    "connect_all": (fast_generation.connect_all, {"connect_all": RoomGrid.connect_all}),
    "check_objs_reachable": (
        fast_generation.check_objs_reachable,
        {"check_objs_reachable": RoomGridLevel.check_objs_reachable},
    ),
    "_gen_grid": (fast_generation.gen_grid, {"_gen_grid": RoomGridLevel._gen_grid}),
    "rand_obj": (fast_generation.rand_obj, {"rand_obj": LevelGen.rand_obj}),
}
"""What takes the place of a method, in a class where these methods are MiniGrid's."""


def quicken(env: gym.Env) -> None:
    """Let a MiniGrid environment show the same in less time; one that is not MiniGrid's stays as it is."""
    if isinstance(env, MiniGridEnv):
        env.__class__ = _quick(cast(Any, type(env)))


def planner_of(env: gym.Env) -> AnyBot:
    """BabyAI's bot for a level that was just reset: the fast one, or MiniGrid's where the level has its own way to look."""
    world = env.unwrapped
    assert isinstance(world, MiniGridEnv)  # BabyAI's levels are
    grid = world.grid
    usual = grid.__class__ is Grid and (grid.width, grid.height) == (world.width, world.height)
    return FastBot(env) if usual and _has(type(world), _SIGHT) else BabyAIBot(env)


@cache
def _quick(kind: type[Any]) -> type[Any]:
    methods = {name: method for name, (method, minigrids) in _REPLACED.items() if _has(kind, minigrids)}
    return type(kind.__name__, (kind,), {**methods, "__module__": kind.__module__, "__doc__": kind.__doc__})


def _has(kind: type[Any], methods: Mapping[str, Any]) -> bool:
    return all(getattr(kind, name, None) is method for name, method in methods.items())
