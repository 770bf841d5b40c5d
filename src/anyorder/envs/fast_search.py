"""The bot's search for ways, breadth first, in the very order in which MiniGrid's own search visits the cells.

MiniGrid searches anew for every question, and copies its queue at every step. What the search visits, and in which order,
depends on the question only in where it ends; so all questions that the bot asks at one step share one search, which goes on
where the last question left it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

from anyorder.envs.fast_view import VECTORS

Pos = tuple[int, int]


class OffTheGrid(Exception):
    """The search came to a place outside of the grid, of which MiniGrid's own search has to say what happens."""


class WaySearch:
    """A search from some states, each the cell of a place and a direction: ``4 * cell + direction``.

    Args:
        starts: where it begins, in this order, each in another cell.
        cells: what the cells of the grid hold.
        width: of the grid.
        seen: true for the cells that the bot has seen; it goes on from no other.
        through: True if it goes on past things that lie in the way.
    """

    def __init__(self, starts: Iterable[int], cells: Sequence[Any], width: int, seen: Sequence[int], through: bool) -> None:
        self._states = list(starts)
        self._from: dict[int, int | None] = dict.fromkeys(state >> 2 for state in self._states)
        self._next, self._places = _moves(width, len(cells) // width)
        self._cells, self._seen, self._through = cells, seen, through
        self._expanded = 0

    def first(self, accepts: Callable[[Pos, Any], Any]) -> int | None:
        """The first cell that is accepted, among those that can be reached, or None.

        Raises:
            OffTheGrid: when the search leaves the grid before it comes to such a cell.
        """
        places, cells = self._places, self._cells
        for number, state in enumerate(self._states):  # grows while it is read
            cell = state >> 2
            if accepts(places[cell], cells[cell]):
                return cell
            if number == self._expanded:
                self._expand(state)
        return None

    def way_to(self, cell: int | None) -> list[Pos]:
        """The places from that cell back to where the search began, both included."""
        way = []
        while cell is not None:
            way.append(self._places[cell])
            cell = self._from[cell]
        return way

    def reached(self) -> list[int]:
        """The cells that it came to, in the order of its visits."""
        return list(self._from)

    def _expand(self, state: int) -> None:
        cell = state >> 2
        if self._seen[cell] and _lets_pass(self._cells[cell], self._through):
            came_from, states = self._from, self._states
            for following in self._next[state]:
                neighbor = following >> 2
                if neighbor not in came_from:
                    if neighbor < 0:
                        raise OffTheGrid
                    came_from[neighbor] = cell
                    states.append(following)
        self._expanded += 1  # last, so that whoever asks after the search left the grid is told so, too


def _lets_pass(thing: Any, through: bool) -> bool:
    if thing is None:
        return True
    if thing.type == "wall":
        return False
    return thing.is_open if thing.type == "door" else through


@lru_cache(maxsize=64)
def _moves(width: int, height: int) -> tuple[list[tuple[int, ...]], list[Pos]]:
    """The states that follow each state, those without a turn first, -1 for outside; and the place of each cell."""
    places = [(x, y) for y in range(height) for x in range(width)]
    return [_following(x, y, vector, width, height) for x, y in places for vector in VECTORS], places


def _following(x: int, y: int, vector: Pos, width: int, height: int) -> tuple[int, ...]:
    dx, dy = vector
    states = []
    for step in ((dx, dy), (dy, dx), (-dy, -dx), (-dx, -dy)):
        column, row = x + step[0], y + step[1]
        inside = 0 <= column < width and 0 <= row < height
        states.append(4 * (row * width + column) + VECTORS.index(step) if inside else -1)
    return tuple(states)
