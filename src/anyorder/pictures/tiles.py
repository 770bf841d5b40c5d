"""Views as pictures, in MiniGrid's own tiles, and the few things that are drawn around them.

Legend: X columns and Y rows of the agent's view.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from anyorder.envs import minigrid  # noqa: F401  (first: it silences what the next import prints)

from minigrid.core.grid import Grid  # isort: skip

TILE = 28
PAPER, INK, FAINT = (255, 255, 255), (25, 25, 30), (110, 110, 120)
RIGHT, WRONG = (40, 200, 90), (235, 50, 50)
HIDDEN, HATCH = (58, 30, 84), (120, 78, 160)
FACING_UP = 3


@lru_cache(maxsize=8)
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own font, so that nothing depends on the machine."""
    return ImageFont.load_default(size=size)


def draw_view(view: np.ndarray, hidden: np.ndarray | None = None) -> Image.Image:
    """A view as the agent has it, the agent at the bottom middle facing up.

    Args:
        view: uint8 ``[X, Y, 3]``, (object, color, state).
        hidden: bool ``[X, Y]``; True for cells drawn as unknown: purple, hatched, with a question mark.

    Returns:
        RGB, X * TILE by Y * TILE pixels.
    """
    columns, rows = view.shape[:2]
    grid, seen = Grid.decode(view)
    pixels = grid.render(TILE, (columns // 2, rows - 1), FACING_UP, highlight_mask=seen)
    picture = Image.fromarray(pixels.astype(np.uint8))
    for column, row in () if hidden is None else np.argwhere(hidden):
        picture.paste(_unknown_tile(), (column * TILE, row * TILE))
    return picture


def frame_cells(picture: Image.Image, cells: np.ndarray, color: tuple[int, int, int]) -> None:
    """Draw a frame, in place, around each cell where ``cells`` (bool ``[X, Y]``) is True."""
    draw = ImageDraw.Draw(picture)
    for column, row in np.argwhere(cells) * TILE:
        draw.rectangle((column, row, column + TILE - 1, row + TILE - 1), outline=color, width=3)


@lru_cache(maxsize=1)
def _unknown_tile() -> Image.Image:
    tile = Image.new("RGB", (TILE, TILE), HIDDEN)
    draw = ImageDraw.Draw(tile)
    for start in range(-TILE, TILE, 7):
        draw.line((start, TILE, start + TILE, 0), fill=HATCH, width=1)
    draw.rectangle((0, 0, TILE - 1, TILE - 1), outline=HATCH)
    draw.text((TILE / 2, TILE / 2), "?", fill=PAPER, font=font(TILE // 2 + 3), anchor="mm")
    return tile


@dataclass(frozen=True)
class Text:
    """A line of text.

    Attributes:
        words: what it says.
        color: of the ink.
        size: in pixels.
    """

    words: str
    color: tuple[int, int, int] = INK
    size: int = 15


def write(page: Image.Image, at: tuple[float, float], text: Text, anchor: str = "la") -> None:
    """Write a line, in place; ``anchor`` is Pillow's (``la``: left and top, ``ma``: middle and top).

    A line that would leave the page at the right is written smaller.
    """
    draw = ImageDraw.Draw(page)
    room = page.width - at[0] if anchor[0] == "l" else page.width
    size = text.size
    while size > 8 and draw.textlength(text.words, font=font(size)) > room:
        size -= 1
    draw.text(at, text.words, fill=text.color, font=font(size), anchor=anchor)
