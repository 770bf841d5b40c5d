"""BabyAI's bot, with the same plans and errors, several times as fast.

Its plans are MiniGrid's own code, loaded a second time, so that what is replaced in this copy is replaced for nobody else: how
the bot looks (`anyorder.envs.fast_view`), how it searches (`anyorder.envs.fast_search`), and the arithmetic of places, which
numpy does slowly for two numbers.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
from minigrid.minigrid_env import MiniGridEnv

from anyorder.envs.fast_search import OffTheGrid, Pos, WaySearch
from anyorder.envs.fast_view import VECTORS, UnknownCells, look


class Vector(tuple[int, int]):
    """A place or a step, with the arithmetic of a numpy array of two numbers."""

    __slots__ = ()

    def __add__(self, other: Sequence[int]) -> Vector:  # type: ignore[override]
        return Vector((self[0] + other[0], self[1] + other[1]))

    def __sub__(self, other: Sequence[int]) -> Vector:
        return Vector((self[0] - other[0], self[1] - other[1]))

    def __mul__(self, factor: int) -> Vector:  # type: ignore[override]
        return Vector((factor * self[0], factor * self[1]))

    __rmul__ = __mul__  # type: ignore[assignment]

    def __neg__(self) -> Vector:
        return Vector((-self[0], -self[1]))


_STEPS = tuple(map(Vector, VECTORS))


class _Snapshot:
    """The environment as it is at one step, as the bot's code asks it; for all else the environment is asked."""

    def __init__(self, world: MiniGridEnv) -> None:
        self._world = world
        self.unwrapped = self
        self.actions = world.actions
        self.grid = world.grid

    def renew(self) -> None:
        world = self._world
        x, y = world.agent_pos
        self.agent_dir = direction = world.agent_dir
        self.agent_pos = Vector((int(x), int(y)))
        self.dir_vec, self.right_vec = _STEPS[direction], _STEPS[direction - 3]
        self.fwd_pos = self.agent_pos + self.dir_vec
        self.grid = world.grid
        self.fwd_cell = self.grid.get(*self.fwd_pos)
        self.carrying = world.carrying

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world, name)


def _own_copy() -> ModuleType:
    spec = importlib.util.find_spec("minigrid.utils.baby_ai_bot")
    assert spec is not None and spec.loader is not None  # minigrid is installed
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _update_agent_attributes(subgoal: Any) -> None:
    now = subgoal.bot.mission
    subgoal.pos, subgoal.dir_vec, subgoal.right_vec = now.agent_pos, now.dir_vec, now.right_vec
    subgoal.fwd_pos, subgoal.fwd_cell, subgoal.carrying = now.fwd_pos, now.fwd_cell, now.carrying


_MINIGRIDS: Any = _own_copy()
_MINIGRIDS.np = SimpleNamespace(abs=abs, asarray=Vector, array_equal=lambda a, b: a[0] == b[0] and a[1] == b[1], zeros=np.zeros)
_MINIGRIDS.Subgoal.update_agent_attributes = _update_agent_attributes


class FastBot(_MINIGRIDS.BabyAIBot):
    """MiniGrid's `BabyAIBot`: the same actions, and the same errors.

    It counts no searches (``bfs_counter`` stays 0).

    Args:
        env: a BabyAI level, just after its reset.
    """

    def __init__(self, env: Any) -> None:
        self._world = env.unwrapped
        now = _Snapshot(self._world)
        now.renew()
        super().__init__(now)
        # The same memory twice: MiniGrid's code reads [x, y], and the search reads the cells in the order of the grid's list.
        width, height = self._world.width, self._world.height
        self._seen = bytearray(width * height + 1)  # the last one is for what lies outside of the grid
        self.vis_mask: np.ndarray = np.frombuffer(self._seen, bool)[:-1].reshape(height, width).T

    def _process_obs(self) -> None:
        now = self.mission
        now.renew()
        grid = now.grid
        x, y = now.agent_pos
        self._search = WaySearch(y * grid.width + x, now.agent_dir, grid.grid, grid.width, self._seen)
        try:
            for cell in look(self._world).seen_cells():
                self._seen[cell] = 1
        except UnknownCells:
            super()._process_obs()

    def _shortest_path(
        self, accept_fn: Callable[[Pos, Any], Any], try_with_blockers: bool = False
    ) -> tuple[list[Pos] | None, Pos | None, bool]:
        search = self._search
        try:
            found = search.first(accept_fn)
            with_blockers = found is None and try_with_blockers
            if with_blockers:
                found = search.first_past_things(accept_fn)
        except OffTheGrid:
            return super()._shortest_path(accept_fn, try_with_blockers)
        if found is None:
            return None, None, with_blockers
        way = search.way_to(found)
        return way[-2::-1], way[0], with_blockers
