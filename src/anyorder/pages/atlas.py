"""Every tile that MiniGrid can draw, in one picture, so that a page can show any view without MiniGrid.

A cell is written as one number, its *code*: ``(object * 6 + color) * 4 + state``. Many codes look the same (an empty
cell has no color), so each distinct look is drawn once, lit (MiniGrid's highlight: what the agent sees) and unlit. The
agent is drawn over its cell, as MiniGrid does; MiniGrid's blending is linear, so a half-transparent sprite gives the
same picture, except for the few pixels that both an edge of the agent and an edge of what it carries cross.

Legend: C codes, L looks.
"""

from __future__ import annotations

from base64 import b64encode
from functools import lru_cache
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from anyorder.envs.minigrid import ACTIONS, COLORS, DOOR_STATES, NUM_COLORS, NUM_DIRECTIONS, NUM_OBJECTS, NUM_STATES, OBJECTS

from minigrid.core.grid import Grid  # isort: skip
from minigrid.core.world_object import WorldObj  # isort: skip
from minigrid.utils.rendering import downsample, highlight_img  # isort: skip

TILE, COLUMNS = 64, 16
FINE = 3
"""MiniGrid draws a tile this many times larger in each direction, then averages."""
GLANCE = 16
"""Width in pixels of a tile that is large enough to tell looks apart; MiniGrid draws slowly."""
NUM_CODES = NUM_OBJECTS * NUM_COLORS * NUM_STATES
AGENT = OBJECTS.index("agent")


@lru_cache(maxsize=1)
def atlas() -> dict[str, Any]:
    """The picture and how to read it, as JSON values.

    Returns:
        ``image``: a PNG of square tiles as a ``data:`` address; ``tile``: their size in pixels; ``columns``: tiles in a
        row, numbered row by row from 0; ``looks``: C numbers, the tile of each code when lit; ``unlit``: what to add to
        it for the unlit tile; ``agents``: [4 tiles unlit, 4 tiles lit], one per direction (0 is east, clockwise), to be
        drawn over a cell; ``objects``, ``colors``, ``door_states``, ``actions``: names by number.
    """
    numbers, pictures = _looks()
    # Drawing is slow, so each look is drawn once, for its lit and its unlit tile.
    drawn = [Grid.render_tile(look, tile_size=FINE * TILE, subdivs=1).astype(np.uint8) for look in pictures]
    tiles = [_tile(look, lit) for lit in (True, False) for look in drawn] + [
        _agent(direction, lit) for lit in (False, True) for direction in range(NUM_DIRECTIONS)
    ]
    first_agent = 2 * len(pictures)
    agents = [[first_agent + 4 * lit + direction for direction in range(NUM_DIRECTIONS)] for lit in (0, 1)]
    return {
        "image": _data_address(_sheet(tiles)),
        "tile": TILE,
        "columns": COLUMNS,
        "looks": numbers,
        "unlit": len(pictures),
        "agents": agents,
        "objects": list(OBJECTS),
        "colors": list(COLORS),
        "door_states": list(DOOR_STATES),
        "actions": list(ACTIONS),
    }


def _looks() -> tuple[list[int], list[WorldObj | None]]:
    """The number of each code's look, and one object per look."""
    numbers: list[int] = []
    found: dict[bytes, int] = {}
    objects: list[WorldObj | None] = []
    for code in range(NUM_CODES):
        kind, color, state = code // (NUM_COLORS * NUM_STATES), code // NUM_STATES % NUM_COLORS, code % NUM_STATES
        item = WorldObj.decode(kind, color, state)
        # For a cell that holds an agent this draws nothing; the agent is drawn over the cell instead.
        pixels = Grid.render_tile(item, tile_size=GLANCE).tobytes()
        if pixels not in found:
            found[pixels] = len(objects)
            objects.append(item)
        numbers.append(found[pixels])
    return numbers, objects


def _tile(drawn: np.ndarray, lit: bool) -> Image.Image:
    fine = drawn.copy()
    if lit:
        highlight_img(fine)
    return _picture(downsample(fine, FINE)).convert("RGBA")


def _agent(direction: int, lit: bool) -> Image.Image:
    """The agent alone: MiniGrid's red triangle, as opaque as it covers each pixel of a black cell."""
    drawn, without = (_pixels(None, agent_dir) for agent_dir in (direction, None))
    color = np.array([255.0, 0.0, 0.0])
    if lit:
        color += 0.3 * (255 - color)  # minigrid.utils.rendering.highlight_img
    sprite = np.empty((TILE, TILE, 4))
    sprite[..., :3], sprite[..., 3] = color, (drawn - without)[..., 0]
    return _picture(sprite)


def _pixels(item: WorldObj | None, agent_dir: int | None) -> np.ndarray:
    return Grid.render_tile(item, agent_dir, tile_size=TILE).astype(float)


def _picture(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(pixels.round().clip(0, 255).astype(np.uint8))


def _sheet(tiles: list[Image.Image]) -> Image.Image:
    sheet = Image.new("RGBA", (COLUMNS * TILE, -(-len(tiles) // COLUMNS) * TILE))
    for number, tile in enumerate(tiles):
        sheet.paste(tile, (number % COLUMNS * TILE, number // COLUMNS * TILE))
    return sheet


def _data_address(picture: Image.Image) -> str:
    file = BytesIO()
    picture.save(file, "PNG", optimize=True)
    return f"data:image/png;base64,{b64encode(file.getvalue()).decode()}"
