"""Environments and a bot that play the same episodes in less time: MiniGrid's, wherever a class has not its own way.

An environment that comes from `anyorder.envs.minigrid.make_env` becomes one of a class made here, a subclass of its own class.
Nobody else's environments change.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import gymnasium as gym
from minigrid.core.grid import Grid
from minigrid.minigrid_env import MiniGridEnv
from minigrid.utils.baby_ai_bot import BabyAIBot

from anyorder.envs import fast_view
from anyorder.envs.fast_bot import FastBot

AnyBot = BabyAIBot | FastBot
_VIEW = ("gen_obs", "gen_obs_grid", "get_view_exts")
_BOT = ("gen_obs_grid", "get_view_exts", "dir_vec", "right_vec")  # what the fast bot works out for itself


def quicken(env: gym.Env) -> None:
    """Let a MiniGrid environment show the same in less time; one that is not MiniGrid's stays as it is."""
    if isinstance(env, MiniGridEnv):
        env.__class__ = _quick(type(env))


def planner_of(env: gym.Env) -> AnyBot:
    """BabyAI's bot for a level that was just reset: the fast one, or MiniGrid's where the level has its own way to look."""
    world = env.unwrapped
    assert isinstance(world, MiniGridEnv)  # BabyAI's levels are
    grid = world.grid
    usual = grid.__class__ is Grid and (grid.width, grid.height) == (world.width, world.height)
    return FastBot(env) if usual and _is_minigrids(type(world), _BOT) else BabyAIBot(env)


@cache
def _quick(kind: type[MiniGridEnv]) -> type[MiniGridEnv]:
    methods = {"gen_obs": fast_view.gen_obs} if _is_minigrids(kind, _VIEW) else {}
    return type(kind.__name__, (kind,), {**methods, "__module__": kind.__module__, "__doc__": kind.__doc__})


def _is_minigrids(kind: type, names: Iterable[str]) -> bool:
    """True if that class left these methods of MiniGridEnv as they are."""
    return all(getattr(kind, name) is getattr(MiniGridEnv, name) for name in names)
