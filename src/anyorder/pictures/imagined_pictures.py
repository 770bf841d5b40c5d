"""Imagination beside the truth, for people: a strip and a film.

Legend: H imagined steps, X columns and Y rows of a view.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from anyorder.acting.imagination import given, imagine
from anyorder.envs.minigrid import ACTIONS, DIRECTIONS
from anyorder.evaluation.imagined import Prefix
from anyorder.models.contract import GridModel
from anyorder.pictures.tiles import FAINT, INK, PAPER, RIGHT, TILE, WRONG, Text, draw_view, frame_cells, write
from anyorder.pictures.video import Film

MARGIN, LINE, LABEL = 14, 22, 84
MILLISECONDS_PER_STEP, MILLISECONDS_AT_THE_END = 700, 1800


@dataclass(frozen=True, eq=False)
class ImaginedFuture:
    """A true future and the imagined one.

    Attributes:
        prefix: where imagination began.
        observations: uint8 ``[H, X, Y, 3]``, imagined.
        directions: uint8 ``[H]``, imagined.
    """

    prefix: Prefix
    observations: np.ndarray
    directions: np.ndarray

    @classmethod
    def of(cls, model: GridModel, prefix: Prefix, horizon: int) -> ImaginedFuture:
        """Imagine what the true actions lead to, up to the end of the episode."""
        horizon = min(horizon, len(prefix.trajectory) - prefix.start)
        imagined = imagine(model, [prefix.history(model)], given(prefix.actions(horizon)[None]), horizon)
        return cls(prefix, imagined.observations[0], imagined.directions[0])

    def frames(self) -> Iterator[_Frame]:
        """The last real frame, then each imagined one beside the truth."""
        trajectory, start = self.prefix.trajectory, self.prefix.start
        real = trajectory.observations[start], int(trajectory.directions[start])
        yield _Frame(start, "the last real view", *real, *real)
        for number, (cells, direction) in enumerate(zip(self.observations, self.directions)):
            step = start + 1 + number
            action = ACTIONS[trajectory.actions[step - 1]]
            truth = trajectory.observations[step], int(trajectory.directions[step])
            yield _Frame(step, f"after {action}", *truth, cells, int(direction))


@dataclass(frozen=True, eq=False)
class _Frame:
    """One step: what was there and what was imagined, each as a view, uint8 ``[X, Y, 3]``, and a direction, 0..3."""

    step: int
    title: str
    truth: np.ndarray
    true_direction: int
    imagined: np.ndarray
    imagined_direction: int

    @property
    def wrong(self) -> np.ndarray:
        """bool ``[X, Y]``."""
        return (self.truth != self.imagined).any(axis=-1)

    def views(self) -> tuple[Image.Image, Image.Image]:
        """The truth, and what was imagined with its wrong cells framed red."""
        imagined = draw_view(self.imagined)
        frame_cells(imagined, self.wrong, WRONG)
        return draw_view(self.truth), imagined

    def verdict(self) -> Text:
        """Says how many cells are wrong, and whether the direction is."""
        cells = f"cells wrong: {self.wrong.sum()}"
        if self.true_direction != self.imagined_direction:
            names = DIRECTIONS[self.imagined_direction], DIRECTIONS[self.true_direction]
            return Text("{}; {}, not {}".format(cells, *names), WRONG, 13)
        if self.wrong.any():
            return Text(f"{cells} of {self.wrong.size}", WRONG, 13)
        return Text("all right", RIGHT, 13)


def imagination_strip(future: ImaginedFuture) -> Image.Image:
    """A picture with the steps from left to right: what happened above, what was imagined below."""
    frames = list(future.frames())
    width, height = (TILE * side for side in frames[0].truth.shape[:2])
    page = _page(future, LABEL + len(frames) * (width + MARGIN), 2 * height + MARGIN)
    top = MARGIN + 2 * LINE
    write(page, (MARGIN, top + height / 2), Text("true", INK, 15), "lm")
    write(page, (MARGIN, top + MARGIN + 1.5 * height), Text("imagined", INK, 15), "lm")
    for number, frame in enumerate(frames):
        left = MARGIN + LABEL + number * (width + MARGIN)
        # A column of its own, so that a title is centred on it and made smaller where it does not fit.
        column = Image.new("RGB", (width, page.height - top + LINE), PAPER)
        truth, imagined = frame.views()
        write(column, (width / 2, 0), Text(f"{frame.step}: {frame.title}", FAINT, 13), "ma")
        column.paste(truth, (0, LINE))
        column.paste(imagined, (0, LINE + height + MARGIN))
        if number:
            write(column, (width / 2, LINE + 2 * height + MARGIN + 4), frame.verdict(), "ma")
        page.paste(column, (left, top - LINE))
    return page


def imagination_film(future: ImaginedFuture) -> Film:
    """A film of the steps, with the true view at the left and the imagined one at the right."""
    pages = list(_pages(future))
    durations = [MILLISECONDS_PER_STEP] * (len(pages) - 1) + [MILLISECONDS_AT_THE_END]
    return Film(pages, durations)


def _pages(future: ImaginedFuture) -> Iterator[Image.Image]:
    for number, frame in enumerate(future.frames()):
        width, height = (TILE * side for side in frame.truth.shape[:2])
        page = _page(future, 2 * width + MARGIN, height + LINE)
        top = MARGIN + 2 * LINE
        for side, (title, view) in enumerate(zip(("true view", "imagined view"), frame.views())):
            left = MARGIN + side * (width + MARGIN)
            column = Image.new("RGB", (width, LINE), PAPER)
            write(column, (width / 2, 0), Text(title, FAINT, 13), "ma")
            page.paste(column, (left, top - LINE))
            page.paste(view, (left, top))
        write(page, (MARGIN, top + height + 6), Text(f"step {frame.step}: {frame.title}", INK, 14))
        if number:
            write(page, (MARGIN, top + height + LINE + 4), frame.verdict())
        yield page


def _page(future: ImaginedFuture, width: int, height: int) -> Image.Image:
    """An empty page with the mission, room for ``height`` pixels of views, a line above and one below them."""
    page = Image.new("RGB", (width + 2 * MARGIN, height + 3 * LINE + 2 * MARGIN), PAPER)
    write(page, (MARGIN, MARGIN / 2), Text(f"“{future.prefix.trajectory.mission}”", INK, 16))
    return page
