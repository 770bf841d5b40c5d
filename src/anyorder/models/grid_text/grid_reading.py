"""From tokens back to what was seen and done on a grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from anyorder.elements.grid import NUM_VALUES, Attribute
from anyorder.elements.text.codec import TextCodec
from anyorder.errors import AnyOrderError
from anyorder.models.grid_text.grid_tokens import BACKGROUND_COLORS, LENGTHS, NUM_CELLS, NUM_SINGLE, SHORTEST_RUN, GridTokens


@dataclass(frozen=True, eq=False)
class GridReading:
    """A trajectory that was read from tokens.

    Attributes:
        mission: in words.
        observations: uint8 ``[F, X, Y, 3]``.
        directions: uint8 ``[F]``.
        actions: uint8 ``[T]``; T is F - 1, or F.
    """

    mission: str
    observations: np.ndarray
    directions: np.ndarray
    actions: np.ndarray


def read_grid(ids: Sequence[int], codec: TextCodec, view: tuple[int, int]) -> GridReading:
    """Read a trajectory in which nothing is hidden and nothing but returns-to-go is dropped.

    Args:
        ids: tokens, without padding.
        codec: with the tokens of the grid.
        view: columns and rows of what the agent sees.

    Raises:
        AnyOrderError: for tokens that are no trajectory: another number of cells, something missing or out of place.
    """
    tokens = GridTokens.of(codec)
    ids = list(ids)
    first = ids.index(tokens.mark) if tokens.mark in ids else len(ids)
    frames: list[list[int]] = []
    actions: list[int] = []
    for token in ids[first:]:
        if token == tokens.mark:
            frames.append([])
        elif tokens.single <= token < tokens.mark and (known := _single(token - tokens.single))[0] is Attribute.ACTION:
            actions.append(known[1])
        else:
            frames[-1].append(token)
    read = [_frame(frame, tokens, view) for frame in frames]
    if not frames or len(actions) not in (len(frames) - 1, len(frames)):
        raise AnyOrderError(
            f"a trajectory must have an action between any two observations; found {len(frames)} observations and"
            f" {len(actions)} actions"
        )
    return GridReading(
        codec.decode(ids[:first]),
        np.array([cells for cells, _ in read], np.uint8).reshape(len(read), *view, 3),
        np.array([direction for _, direction in read], np.uint8),
        np.array(actions, np.uint8),
    )


def _frame(frame: Sequence[int], tokens: GridTokens, view: tuple[int, int]) -> tuple[list[tuple[int, ...]], int]:
    """The cells of a frame, and its direction."""
    cells: list[tuple[int, ...]] = []
    parts: dict[Attribute, int] = {}
    directions = []
    for token in frame:
        number = token - tokens.first
        if 0 <= number < NUM_CELLS:
            cells.append(_cell(number))
        elif NUM_CELLS <= number < NUM_CELLS + NUM_SINGLE:
            attribute, value = _single(number - NUM_CELLS)
            if attribute is Attribute.DIRECTION:
                directions.append(value)
            elif attribute is not Attribute.RETURN:
                parts[attribute] = value
                if attribute is Attribute.STATE:
                    cells.append(tuple(parts.get(a, 0) for a in (Attribute.OBJECT, Attribute.COLOR, Attribute.STATE)))
                    parts = {}
        elif tokens.mark < token < tokens.size:
            background, length = divmod(token - tokens.mark - 1, LENGTHS)
            cells += [(background, BACKGROUND_COLORS[background], 0)] * (length + SHORTEST_RUN)
        else:
            raise AnyOrderError(f"a frame must be made of tokens of the grid; found token {token}")
    if len(cells) != view[0] * view[1] or len(directions) != 1:
        raise AnyOrderError(
            f"a frame must have {view[0] * view[1]} cells and one direction; found {len(cells)} and {len(directions)}"
        )
    return cells, directions[0]


def _cell(number: int) -> tuple[int, int, int]:
    colors, states = NUM_VALUES[Attribute.COLOR], NUM_VALUES[Attribute.STATE]
    return number // (colors * states), number // states % colors, number % states


def _single(value: int) -> tuple[Attribute, int]:
    """An attribute and its own value, from a value of `anyorder.elements.grid`."""
    for attribute, size in NUM_VALUES.items():
        if value < size:
            return attribute, value
        value -= size
    raise ValueError(f"values of frames must be below {NUM_SINGLE}")
