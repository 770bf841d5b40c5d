"""One trajectory as it was, as the model was shown it, and as the model rebuilt it: a picture for people.

Legend: F frames, X columns and Y rows of a view.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from anyorder.elements.batch import Batch
from anyorder.elements.grid import GridLayout
from anyorder.elements.layout import Kind
from anyorder.elements.raw_grid import mission_of, raw_actions, raw_cells
from anyorder.envs.minigrid import ACTIONS
from anyorder.inference.decoding import most_probable
from anyorder.masking.order import Order, Role
from anyorder.models.contract import GridModel
from anyorder.pictures.tiles import FAINT, INK, PAPER, RIGHT, TILE, WRONG, Text, draw_view, frame_cells, write

MARGIN, GAP, TITLE, CAPTION = 24, 12, 30, 28


def reconstruction_picture(model: GridModel, batch: Batch[GridLayout], order: Order, max_frames: int = 8) -> Image.Image:
    """Three rows of views: what happened, what the model was shown, what it rebuilt (right cells framed green, wrong
    ones red), the actions below.

    Args:
        model: a grid model, in evaluation mode.
        batch: holds one trajectory.
        order: says what is hidden.
        max_frames: how many steps are drawn, from the first on; the model is given all of them.
    """
    story = _story(model, batch, order)
    num_frames = min(max_frames, len(story.truth))
    columns, rows = (TILE * size for size in story.truth.shape[1:3])
    width = 2 * MARGIN + num_frames * (columns + GAP) - GAP
    page = Image.new("RGB", (width, MARGIN + TITLE + 3 * (TITLE + rows + CAPTION)), PAPER)
    write(page, (MARGIN, MARGIN / 2), Text(f"“{story.mission}”", INK, 20))
    top = MARGIN + TITLE
    for title, draw in (
        (Text("What happened"), _happened),
        (Text(f"What the model was shown: {story.hidden.mean():.0%} of the cells hidden"), _shown),
        (Text(f"What the model rebuilt: {story.right.sum()} of {story.hidden.sum()} hidden cells right"), _rebuilt),
    ):
        write(page, (MARGIN, top), title)
        for step in range(num_frames):
            left = MARGIN + step * (columns + GAP)
            view, caption = draw(story, step)
            page.paste(view, (left, top + TITLE - 6))
            write(page, (left + columns / 2, top + TITLE + rows - 2), caption, "ma")
        top += TITLE + rows + CAPTION
    return page


@dataclass(frozen=True, eq=False)
class _Story:
    """One trajectory.

    Attributes:
        mission: the instruction.
        truth, rebuilt: uint8 ``[F, X, Y, 3]``.
        hidden: bool ``[F, X, Y]``; True where any attribute of the cell is a target.
        actions, rebuilt_actions: int64 ``[F]``; -1 where there is no action, as in the last frame.
        action_hidden: bool ``[F]``; True where the action is a target.
    """

    mission: str
    truth: np.ndarray
    rebuilt: np.ndarray
    hidden: np.ndarray
    actions: np.ndarray
    rebuilt_actions: np.ndarray
    action_hidden: np.ndarray

    @property
    def right(self) -> np.ndarray:
        """bool ``[F, X, Y]``; True where a hidden cell was rebuilt as it was."""
        return self.hidden & (self.truth == self.rebuilt).all(axis=-1)


def _story(model: GridModel, batch: Batch[GridLayout], order: Order) -> _Story:
    shape, vocabulary = batch.layout.grid, model.vocabulary
    rebuilt = most_probable(model, batch, order)
    asked = order.roles == Role.TARGET
    hidden = shape.cells(asked).any(dim=-1).unflatten(-1, (shape.columns, shape.rows))
    words = batch.values[0][batch.layout.of_kind(Kind.MISSION)[0]]
    return _Story(
        mission=mission_of(words, vocabulary),
        truth=raw_cells(batch.values, shape, vocabulary)[0],
        rebuilt=raw_cells(rebuilt, shape, vocabulary)[0],
        hidden=hidden[0].numpy(),
        actions=raw_actions(batch.values, shape, vocabulary)[0],
        rebuilt_actions=raw_actions(rebuilt, shape, vocabulary)[0],
        action_hidden=shape.actions(asked)[0].numpy(),
    )


def _happened(story: _Story, step: int) -> tuple[Image.Image, Text]:
    return draw_view(story.truth[step]), _caption(story, step, _name(story.actions[step]))


def _shown(story: _Story, step: int) -> tuple[Image.Image, Text]:
    name = "?" if story.action_hidden[step] else _name(story.actions[step])
    return draw_view(story.truth[step], story.hidden[step]), _caption(story, step, name)


def _rebuilt(story: _Story, step: int) -> tuple[Image.Image, Text]:
    picture = draw_view(story.rebuilt[step])
    frame_cells(picture, story.right[step], RIGHT)
    frame_cells(picture, story.hidden[step] & ~story.right[step], WRONG)
    right = story.rebuilt_actions[step] == story.actions[step]
    color = FAINT if not story.action_hidden[step] else RIGHT if right else WRONG
    return picture, _caption(story, step, _name(story.rebuilt_actions[step]), color)


def _caption(story: _Story, step: int, action: str, color: tuple[int, int, int] = FAINT) -> Text:
    return Text(f"{step}: {action}" if step < len(story.truth) - 1 else f"{step}: the end", color, 14)


def _name(action: int) -> str:
    return ACTIONS[action] if action >= 0 else ""
