"""What MiniGrid shows, from one pass over the cells in view: the same images as MiniGrid's own loops, many times as fast.

MiniGrid copies the cells in view, turns the copy up to four times, lets the view spread from cell to cell and encodes one
cell at a time. Here a table says which cells of the grid are in view, in the order of the image, and what hides what is
looked up among the patterns of walls and closed doors that were met before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import compress
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
from minigrid.core.constants import COLOR_TO_IDX, OBJECT_TO_IDX, STATE_TO_IDX
from minigrid.core.grid import Grid
from minigrid.core.world_object import Ball, Box, Door, Floor, Goal, Key, Lava, Wall, WorldObj
from minigrid.minigrid_env import MiniGridEnv

VECTORS = ((1, 0), (0, 1), (-1, 0), (0, -1))
"""One step in each direction, as in MiniGrid's DIR_TO_VEC, in whole numbers."""

_NUM_COLORS, _NUM_STATES = len(COLOR_TO_IDX), len(STATE_TO_IDX)


def _code(kind: str, color: str, state: int = 0) -> int:
    """Kind, color and state of a cell in one number, below 256; 0 is what is not seen."""
    return (OBJECT_TO_IDX[kind] * _NUM_COLORS + COLOR_TO_IDX[color]) * _NUM_STATES + state


_EMPTY = OBJECT_TO_IDX["empty"] * _NUM_COLORS * _NUM_STATES
_WALLS = {color: _code("wall", color) for color in COLOR_TO_IDX}
_THINGS: dict[type[WorldObj], dict[str, int]] = {
    kind: {color: _code(kind.__name__.lower(), color) for color in COLOR_TO_IDX}
    for kind in (Wall, Floor, Ball, Key, Box, Goal, Lava)
}
_DOORS = {
    (color, is_open, is_locked): _code("door", color, 0 if is_open else 2 if is_locked else 1)
    for color in COLOR_TO_IDX
    for is_open in (False, True)
    for is_locked in (False, True)
}

_ENCODED = np.zeros((256, 3), np.uint8)
_ENCODED[:, 0], _ENCODED[:, 1] = np.divmod(np.arange(256) // _NUM_STATES, _NUM_COLORS)
_ENCODED[:, 2] = np.arange(256) % _NUM_STATES
_OPAQUE = bytes(
    kind == OBJECT_TO_IDX["wall"] or (kind == OBJECT_TO_IDX["door"] and state != STATE_TO_IDX["open"])
    for kind, _, state in _ENCODED.tolist()
)
"""1 where the agent cannot see behind a cell of that code, else 0."""


class Sight(NamedTuple):
    """What an agent sees.

    Attributes:
        codes: of the cells in view, column by column as in the image.
        shown: which of them the agent sees.
        cells: of each cell in view, its place in the list of the grid's cells, row by row; beyond the list outside of the grid.
    """

    codes: bytes
    shown: _Shown
    cells: Sequence[int]

    def seen_cells(self) -> Iterator[int]:
        """The places, in the list of the grid's cells, of the cells that the agent sees."""
        return compress(self.cells, self.shown.flags)

    def image(self) -> np.ndarray:
        """The view as MiniGrid encodes it, uint8 ``[W, H, 3]``."""
        image = _ENCODED.take(np.frombuffer(self.codes, np.uint8), axis=0)
        image *= self.shown.factors
        size = self.shown.size
        return image.reshape(size, size, 3)


class _Shown(NamedTuple):
    size: int
    flags: bytes
    factors: np.ndarray  # 1 or 0 for each number of the image


class UnknownCells(Exception):
    """The grid, or something in view, is not MiniGrid's own; only its own methods know how it looks."""


def look(world: MiniGridEnv) -> Sight:
    """What the agent sees now, by MiniGrid's rules.

    Raises:
        UnknownCells: where only the classes of what is in view know how it looks.
    """
    grid, size = world.grid, world.agent_view_size
    if grid.__class__ is not Grid or len(grid.grid) != grid.width * grid.height:
        raise UnknownCells
    x, y = world.agent_pos
    pick, cells, inside = _frame(grid.width, grid.height, size, int(x), int(y), world.agent_dir)
    try:
        codes = bytearray(
            [
                _EMPTY if cell is None else _WALLS[cell.color] if cell.__class__ is Wall else _code_of(cell)
                for cell in pick(grid.grid if inside else grid.grid + _BEYOND)
            ]
        )
        shown = _all_shown(size) if world.see_through_walls else _shown(bytes(codes.translate(_OPAQUE)), size)
        carrying = world.carrying
        codes[(size // 2 + 1) * size - 1] = _code_of(carrying) if carrying else _EMPTY
    except KeyError:
        raise UnknownCells from None
    return Sight(bytes(codes), shown, cells)


def gen_obs(world: MiniGridEnv) -> dict[str, Any]:
    """The observation; takes the place of MiniGridEnv.gen_obs."""
    try:
        image = look(world).image()
    except UnknownCells:
        return _MINIGRIDS(world)
    return {"image": image, "direction": world.agent_dir, "mission": world.mission}


_MINIGRIDS = MiniGridEnv.gen_obs
_BEYOND = [Wall()]  # what MiniGrid shows outside of the grid


def _code_of(cell: WorldObj) -> int:
    if cell.__class__ is Door:
        return _DOORS[cell.color, cell.is_open, cell.is_locked]
    return _THINGS[cell.__class__][cell.color]


@lru_cache(maxsize=16384)
def _frame(
    width: int, height: int, size: int, x: int, y: int, direction: int
) -> tuple[Callable[[Sequence[Any]], Sequence[Any]], Sequence[int], bool]:
    """How to pick the cells in view, in the order of the image, from the grid's list and one more that stands for the outside;
    which they are; and whether all lie inside."""
    if not 0 <= direction < len(VECTORS):
        raise UnknownCells
    dx, dy = VECTORS[direction]
    cells = []
    for i in range(size):
        for j in range(size):
            ahead, right = size - 1 - j, i - size // 2
            column, row = x + dx * ahead - dy * right, y + dy * ahead + dx * right
            inside = 0 <= column < width and 0 <= row < height
            cells.append(row * width + column if inside else width * height)
    return itemgetter(*cells), tuple(cells), max(cells) < width * height


@lru_cache
def _all_shown(size: int) -> _Shown:
    return _as_shown(np.ones((size, size), bool))


@lru_cache(maxsize=16384)
def _shown(opaque: bytes, size: int) -> _Shown:
    """What the agent sees past those cells; the steps are those of Grid.process_vis."""
    return _as_shown(_spread(np.frombuffer(opaque, bool).reshape(size, size).tolist(), size))


def _spread(opaque: list[list[bool]], size: int) -> np.ndarray:
    seen = [[False] * (size + 1) for _ in range(size)]  # one row more, below the last one, is row -1 of the first one
    seen[size // 2][size - 1] = True
    for j in reversed(range(size)):
        for columns, side in ((range(size - 1), 1), (range(size - 1, 0, -1), -1)):
            for i in columns:
                if seen[i][j] and not opaque[i][j]:
                    seen[i + side][j] = seen[i + side][j - 1] = seen[i][j - 1] = True
    return np.array(seen)[:, :size]


def _as_shown(seen: np.ndarray) -> _Shown:
    factors = np.repeat(seen.reshape(-1, 1), 3, axis=1).astype(np.uint8)
    return _Shown(len(seen), seen.tobytes(), factors)
