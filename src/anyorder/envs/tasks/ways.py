"""The shortest way through a grid of free cells."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

Place = tuple[int, int]
STRAIGHT: tuple[Place, ...] = ((1, 0), (-1, 0), (0, 1), (0, -1))
DIAGONAL: tuple[Place, ...] = ((1, 1), (1, -1), (-1, 1), (-1, -1))


def shortest_way(free: np.ndarray, start: Place, end: Place, moves: Sequence[Place] = STRAIGHT) -> list[Place]:
    """The cells of a way with the fewest moves, both ends included; only the start if there is no way.

    Args:
        free: bool ``[rows, columns]``, True where one can be.
        start, end: row and column.
        moves: what one move adds to row and column; earlier ones are preferred.
    """
    before: dict[Place, Place] = {start: start}
    waiting = deque([start])
    while waiting and end not in before:
        here = waiting.popleft()
        for down, right in moves:
            cell = here[0] + down, here[1] + right
            inside = 0 <= cell[0] < free.shape[0] and 0 <= cell[1] < free.shape[1]
            if inside and free[cell] and cell not in before:
                before[cell] = here
                waiting.append(cell)
    if end not in before:
        return [start]
    way = [end]
    while way[-1] != start:
        way.append(before[way[-1]])
    return way[::-1]
