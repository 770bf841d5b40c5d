"""From arrays to what ``assets/grid.js`` shows: a *frame*, as JSON values, every list column by column as MiniGrid has it.

Legend: X columns and Y rows, S = X * Y cells.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from anyorder.envs.minigrid import NUM_COLORS, NUM_STATES

OBJECT, COLOR, STATE = 1, 2, 4
"""The bits of ``hidden``; 7 hides the whole cell."""
UNRATED, RIGHT, WRONG = 0, 1, 2
"""The values of ``marks``."""


def codes(view: np.ndarray) -> list[int]:
    """S numbers: (object, color, state) of each cell as one (see `anyorder.pages.atlas`).

    Args:
        view: uint8 ``[X, Y, 3]``.
    """
    objects, colors, states = np.moveaxis(view.astype(int), -1, 0)
    return ((objects * NUM_COLORS + colors) * NUM_STATES + states).ravel().tolist()


def uncoded(cells: list[int], columns: int) -> np.ndarray:
    """uint8 ``[X, Y, 3]``: the view that `codes` turned into ``cells``; the inverse of `codes`."""
    numbers = np.array(cells).reshape(columns, -1)
    objects, rest = np.divmod(numbers, NUM_COLORS * NUM_STATES)
    return np.stack([objects, *np.divmod(rest, NUM_STATES)], axis=-1).astype(np.uint8)


def bits(hidden: np.ndarray) -> list[int]:
    """S numbers, the sum of the bits of the hidden attributes.

    Args:
        hidden: bool ``[X, Y, 3]``; True where the attribute is hidden.
    """
    return (hidden @ np.array([OBJECT, COLOR, STATE])).ravel().tolist()


def marks(rated: np.ndarray, right: np.ndarray) -> list[int]:
    """S numbers: `RIGHT` or `WRONG` where ``rated`` (bool ``[X, Y]``), by ``right`` (bool ``[X, Y]``)."""
    return np.where(rated, np.where(right, RIGHT, WRONG), UNRATED).ravel().tolist()


def percent(confidence: np.ndarray, rated: np.ndarray) -> list[int | None]:
    """S whole percents where ``rated`` (bool ``[X, Y]``), else None; ``confidence``: float ``[X, Y]``, 0..1."""
    pairs = zip(confidence.ravel(), rated.ravel())
    return [round(100 * float(share)) if known else None for share, known in pairs]


def frame(view: np.ndarray, **more: Any) -> dict[str, Any]:
    """A frame that shows a view; ``more`` are further fields of it (see the top of ``assets/grid.js``)."""
    return {"cells": codes(view), **more}
