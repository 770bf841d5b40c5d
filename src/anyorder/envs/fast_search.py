"""The bot's search for ways, breadth first, in the very order in which MiniGrid's own search visits the cells.

MiniGrid searches anew for every question, and copies its queue at every step. What the search visits, and in which order,
depends on the question only in where it ends; so all questions that the bot asks at one step share one search, which goes on
where the last question left it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any

from anyorder.envs.fast_view import VECTORS

Pos = tuple[int, int]
Accepts = Callable[[Pos, Any], Any]


class OffTheGrid(Exception):
    """The search came to a place outside of the grid, of which MiniGrid's own search has to say what happens."""


class WaySearch:
    """A search over what the bot has seen, as far as nothing lies in the way; asked to, it goes on past things.

    Args:
        start: the cell where it begins, a number in the list of the grid's cells, row by row.
        direction: the one that it tries first.
        cells: what the cells of the grid hold.
        width: of the grid.
        seen: true for the cells that the bot has seen.
    """

    def __init__(self, start: int, direction: int, cells: Sequence[Any], width: int, seen: Sequence[int]) -> None:
        self._cells, self._seen = cells, seen
        self._moves, self._places = _moves(width, len(cells) // width)
        self._from: dict[int, int | None] = {start: None}
        self._blocked: list[int] = []  # the cells that were reached where a thing lies in the way
        self._free = _Visits([_first_state(start, direction)])
        self._beyond: _Visits | None = None

    def first(self, accepts: Accepts) -> int | None:
        """The first cell that is accepted, among those that can be reached, or None.

        Raises:
            OffTheGrid: when the search leaves the grid before it comes to such a cell.
        """
        return self._first(self._free, accepts, past_things=False)

    def first_past_things(self, accepts: Accepts) -> int | None:
        """The same among the cells that can be reached past things, after `first` found none.

        MiniGrid begins anew from every cell that was reached, facing east. Of these, only those with a thing lead on.
        """
        if self._beyond is None:
            self._beyond = _Visits([_first_state(cell, direction=0) for cell in self._blocked])
        return self._first(self._beyond, accepts, past_things=True)

    def way_to(self, cell: int | None) -> list[Pos]:
        """The places from that cell back to where the search began, both included."""
        way = []
        while cell is not None:
            way.append(self._places[cell])
            cell = self._from[cell]
        return way

    def _first(self, visits: _Visits, accepts: Accepts, past_things: bool) -> int | None:
        places, cells, seen, moves, came_from = self._places, self._cells, self._seen, self._moves, self._from
        states = visits.states
        for state in states[: visits.num_left]:
            cell = state >> 3
            if accepts(places[cell], cells[cell]):
                return cell
        for state in islice(states, visits.num_left, None):  # grows while it is read
            cell = state >> 3
            thing = cells[cell]
            if accepts(places[cell], thing):
                return cell
            if seen[cell] and (thing is None or (thing.type != "wall" and self._lets_pass(cell, past_things))):
                for following in moves[state]:
                    neighbor = following >> 3
                    if neighbor not in came_from:
                        if neighbor < 0:
                            raise OffTheGrid
                        came_from[neighbor] = cell
                        states.append(following)
            visits.num_left += 1
        return None

    def _lets_pass(self, cell: int, past_things: bool) -> bool:
        thing = self._cells[cell]
        if thing.type == "door":
            return thing.is_open
        if not past_things:
            self._blocked.append(cell)
        return past_things


@dataclass
class _Visits:
    """The states of a search in the order of its visits, and how many of them it left for their neighbors already.

    A state is ``8 * cell + direction``, and 4 more where a search begins, since only there it may turn round.
    """

    states: list[int]
    num_left: int = 0


def _first_state(cell: int, direction: int) -> int:
    return 8 * cell + 4 + direction


@lru_cache(maxsize=64)
def _moves(width: int, height: int) -> tuple[list[tuple[int, ...]], list[Pos]]:
    """The states that follow each state, in MiniGrid's order, -1 for outside; and the place of each cell."""
    places = [(x, y) for y in range(height) for x in range(width)]
    return [
        _following(x, y, vector, width, height)[:number] for x, y in places for number in (3, 4) for vector in VECTORS
    ], places


def _following(x: int, y: int, vector: Pos, width: int, height: int) -> tuple[int, ...]:
    """Ahead, to the sides and back."""
    dx, dy = vector
    states = []
    for step in ((dx, dy), (dy, dx), (-dy, -dx), (-dx, -dy)):
        column, row = x + step[0], y + step[1]
        inside = 0 <= column < width and 0 <= row < height
        states.append(8 * (row * width + column) + VECTORS.index(step) if inside else -1)
    return tuple(states)
