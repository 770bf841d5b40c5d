"""A view put together from the atlas is the picture that MiniGrid renders."""

from base64 import b64decode
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from anyorder.envs.minigrid import OBJECTS
from anyorder.pages.atlas import NUM_CODES, TILE, atlas
from anyorder.pages.views import codes

from minigrid.core.grid import Grid  # isort: skip


@pytest.fixture(scope="module")
def sheet():
    return Image.open(BytesIO(b64decode(atlas()["image"].removeprefix("data:image/png;base64,"))))


def tile(sheet, number):
    left, top = number % atlas()["columns"] * TILE, number // atlas()["columns"] * TILE
    return sheet.crop((left, top, left + TILE, top + TILE))


def drawn(sheet, view, lit, agent, direction):
    """What grid.js draws, tile by tile."""
    columns, rows = lit.shape
    picture = Image.new("RGBA", (columns * TILE, rows * TILE))
    for number, code in enumerate(codes(view)):
        x, y = divmod(number, rows)
        look = tile(sheet, atlas()["looks"][code] + (0 if lit[x, y] else atlas()["unlit"]))
        if (x, y) == agent:
            look.alpha_composite(tile(sheet, atlas()["agents"][int(lit[x, y])][direction]))
        picture.paste(look, (x * TILE, y * TILE))
    return np.asarray(picture.convert("RGB")).astype(int)


@pytest.mark.parametrize("direction", range(4))
@pytest.mark.parametrize("lit_where_the_agent_is", [True, False])
def test_a_view_is_drawn_as_minigrid_draws_it(sheet, direction, lit_where_the_agent_is):
    generator = np.random.default_rng(direction)
    # An agent among the cells is drawn by nobody: MiniGrid's decoder leaves its cell empty.
    view = generator.integers([OBJECTS.index("agent"), 6, 3], size=(7, 7, 3)).astype(np.uint8)
    lit = generator.integers(2, size=(7, 7)).astype(bool)
    lit[3, 6] = lit_where_the_agent_is
    expected = Grid.decode(view)[0].render(TILE, (3, 6), direction, highlight_mask=lit).astype(int)
    other = np.abs(drawn(sheet, view, lit, (3, 6), direction) - expected).max(axis=-1) > 2  # more than rounding
    # Where an edge of the agent and one of what it carries cross a pixel, it matters which parts they cover.
    assert other.sum() <= 8 and not other[:, : 3 * TILE].any() and not other[:, 4 * TILE :].any()


def test_every_code_has_a_look_that_is_lit_and_unlit(sheet):
    looks = atlas()["looks"]
    assert len(looks) == NUM_CODES == 11 * 6 * 4
    assert set(looks) == set(range(atlas()["unlit"]))
    last = max(number for four in atlas()["agents"] for number in four)
    assert sheet.size[0] // TILE * (sheet.size[1] // TILE) > last == 2 * atlas()["unlit"] + 7


def test_what_looks_different_has_different_tiles(sheet):
    looks = atlas()["looks"]
    ball, key, door = (OBJECTS.index(name) * 24 for name in ("ball", "key", "door"))
    assert len({looks[ball + 4 * color] for color in range(6)} | {looks[key + 4 * color] for color in range(6)}) == 12
    assert len({looks[door + state] for state in range(3)}) == 3  # open, closed, locked
    assert looks[0] == looks[24]  # unseen and empty differ only in their light
