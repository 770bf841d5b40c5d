"""A query and its answer as a picture: what happened, what the model was shown of that, and what it answered.

Legend: E elements, F frames, X columns and Y rows of a view.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image
from torch import Tensor

from anyorder.elements.batch import Batch
from anyorder.elements.grid import GridLayout, GridVocabulary
from anyorder.elements.raw_grid import raw_actions, raw_cells
from anyorder.envs.minigrid import ACTIONS
from anyorder.masking.order import Order, Role
from anyorder.pictures.tiles import FAINT, INK, PAPER, RIGHT, TILE, WRONG, Text, draw_view, frame_cells, write

MARGIN, GAP, TITLE, CAPTION = 24, 12, 30, 28

Drawn = tuple[Image.Image, Text]


def answer_picture(
    vocabulary: GridVocabulary, batch: Batch[GridLayout], order: Order, values: Tensor, max_frames: int = 8
) -> Image.Image:
    """Three rows of views: what happened, what the model was shown, what it answered (right cells framed green, wrong
    ones red), the actions below. Steps without anything shown or asked are left out.

    Args:
        vocabulary: of the model.
        batch: holds one trajectory.
        order: what was shown and asked.
        values: int64 ``[1, E]``, the answer.
        max_frames: no more steps than this are drawn: those around the first that is asked for.
    """
    story = _Story(vocabulary, batch, order, values)
    steps = story.steps(max_frames)
    columns, rows = (TILE * size for size in story.truth.shape[1:3])
    page = Image.new(
        "RGB", (2 * MARGIN + max(len(steps), 2) * (columns + GAP) - GAP, MARGIN + TITLE + 3 * (TITLE + rows + CAPTION)), PAPER
    )
    write(page, (MARGIN, MARGIN / 2), Text(f"“{batch.layout.missions[0]}”", INK, 20))
    top = MARGIN + TITLE
    for title, draw in story.lines():
        write(page, (MARGIN, top), Text(title))
        for place, step in enumerate(steps):
            left = MARGIN + place * (columns + GAP)
            view, caption = draw(step)
            page.paste(view, (left, top + TITLE - 6))
            write(page, (left + columns / 2, top + TITLE + rows - 2), caption, "ma")
        top += TITLE + rows + CAPTION
    return page


class _Story:
    """One trajectory by frame: MiniGrid's values and the roles of cells, ``[F, X, Y]``, and of actions, ``[F]``."""

    def __init__(self, vocabulary: GridVocabulary, batch: Batch[GridLayout], order: Order, values: Tensor) -> None:
        shape = batch.layout.grid
        size = (shape.columns, shape.rows)
        self.truth, self.answer = (raw_cells(v, shape, vocabulary)[0] for v in (batch.values, values))
        self.actions, self.answered = (raw_actions(v, shape, vocabulary)[0] for v in (batch.values, values))
        roles = shape.cells(order.roles)[0]
        self.asked = (roles == Role.TARGET).any(dim=-1).unflatten(-1, size).numpy()
        self.unseen = (roles != Role.CONTEXT).any(dim=-1).unflatten(-1, size).numpy()
        self.gone = (shape.observations(order.roles)[0] == Role.DROPPED).all(dim=-1).numpy()
        self.action_roles = shape.actions(order.roles)[0].numpy()
        self.right = self.asked & (self.truth == self.answer).all(axis=-1)

    def steps(self, most: int) -> list[int]:
        """The numbers of the steps that are drawn, no more than ``most``."""
        action_asked = self.action_roles == Role.TARGET
        kept = np.flatnonzero(~self.gone | action_asked).tolist()
        first = int(np.flatnonzero(self.asked.any(axis=(1, 2)) | action_asked)[:1].sum())
        start = max(0, min(sum(step < first for step in kept) - most // 2, len(kept) - most))
        return kept[start : start + most]

    def lines(self) -> list[tuple[str, Callable[[int], Drawn]]]:
        """A title and a way to draw a step, for each of the three rows."""
        answered = f": {self.right.sum()} of {self.asked.sum()} cells right" if self.asked.any() else ""
        return [
            ("What happened", self._happened),
            ("What the model was shown", self._shown),
            (f"What the model answered{answered}", self._answered),
        ]

    def _happened(self, step: int) -> Drawn:
        return draw_view(self.truth[step]), self._caption(step, self.actions[step])

    def _shown(self, step: int) -> Drawn:
        seen = self.action_roles[step] == Role.CONTEXT
        return draw_view(self.truth[step], self.unseen[step]), self._caption(step, self.actions[step] if seen else None)

    def _answered(self, step: int) -> Drawn:
        asked, role = self.asked[step], self.action_roles[step]
        picture = draw_view(self.answer[step], self.unseen[step] & ~asked)
        frame_cells(picture, self.right[step], RIGHT)
        frame_cells(picture, asked & ~self.right[step], WRONG)
        right = self.answered[step] == self.actions[step]
        color = FAINT if role != Role.TARGET else RIGHT if right else WRONG
        known = role in (Role.CONTEXT, Role.TARGET)
        return picture, self._caption(step, self.answered[step] if known else None, color)

    def _caption(self, step: int, action: int | None, color: tuple[int, int, int] = FAINT) -> Text:
        last = step == len(self.truth) - 1
        name = "the end" if last else "?" if action is None else ACTIONS[action]
        return Text(f"{step}: {name}", color, 14)
