"""The whole environment around the agent, which the agent never sees.

Legend: W columns and H rows of the world.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gymnasium as gym
import numpy as np

from anyorder.envs.minigrid import grid_world
from anyorder.pages.views import codes

if TYPE_CHECKING:
    from minigrid.minigrid_env import MiniGridEnv


@dataclass(frozen=True, eq=False)
class World:
    """The whole environment at one step.

    Attributes:
        cells: uint8 ``[W, H, 3]``, (object, color, state); the agent is not among them.
        lit: bool ``[W, H]``; True for the cells that the agent sees.
        position: column and row of the agent.
        direction: 0..3, where it faces (0 is east, clockwise).
    """

    cells: np.ndarray
    lit: np.ndarray
    position: tuple[int, int]
    direction: int

    @classmethod
    def of(cls, env: gym.Env) -> World:
        """Read ``env``, a MiniGrid environment in the middle of an episode."""
        base = grid_world(env)
        column, row = base.agent_pos
        return cls(base.grid.encode(), _seen(base), (int(column), int(row)), int(base.agent_dir))

    def frame(self) -> dict[str, Any]:
        """The frame that ``grid.js`` shows, with the numbers of columns and rows that it needs."""
        column, row = self.position
        columns, rows, _ = self.cells.shape
        return {
            "columns": columns,
            "rows": rows,
            "cells": codes(self.cells),
            "lit": self.lit.ravel().astype(int).tolist(),
            "agent": {"x": column, "y": row, "direction": self.direction},
        }


def _seen(base: MiniGridEnv) -> np.ndarray:
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
