"""A model's answer for a terminal.

Legend: X columns and Y rows of a view.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from rich.table import Table
from rich.text import Text

from anyorder.elements.grid import WALL
from anyorder.envs.minigrid import COLORS, OBJECTS
from anyorder.inference.answers import Answer, ElementAnswer, ViewAnswer
from anyorder.inference.futures import RankedSample
from anyorder.inference.missions import RankedMission
from anyorder.terminal import titled_table

GLYPHS = {
    "unseen": " ",
    "empty": ".",
    "wall": "#",
    "floor": "_",
    "door": "D",
    "key": "K",
    "ball": "o",
    "box": "B",
    "goal": "G",
    "lava": "~",
    "agent": "A",
}
STYLES = {"grey": "white", "purple": "magenta"}
"""MiniGrid's colors that a terminal knows by another name."""
BAR = 30
MOST_CELLS, MOST_SAMPLES = 24, 12


def answer_tables(answer: Answer) -> Iterator[Table]:
    """Tables of what was asked: elements, views, and the cells that hold an object, changed or are wrong."""
    alone = answer.elements[0] if len(answer.elements) == 1 else None
    if alone and alone.distribution:
        yield distribution_table(alone.attribute, alone.step, alone.answer, alone.truth, alone.distribution)
    elif answer.elements:
        yield _elements(answer.elements)
    if answer.views:
        yield _views(answer.views)
        yield _cells(answer.views)


def samples_table(samples: Sequence[RankedSample[Answer]], truth: float | None = None) -> Table:
    """Samples, the most probable first, beside the log-likelihood of what happened where it is known."""
    beside = "" if truth is None else f" (what happened: {truth:.2f} nats)"
    right = ("rank", "nats", "drawn", "cells right")
    table = titled_table(f"Samples by log-likelihood{beside}", "rank", "nats", "drawn", "actions", "cells right", right=right)
    for rank, sample in enumerate(samples[:MOST_SAMPLES], start=1):
        actions = " ".join(element.answer for element in sample.answer.elements if element.attribute == "action")
        asked = sum(len(view.cells) for view in sample.answer.views)
        cells = f"{sum(view.num_right for view in sample.answer.views)} of {asked}" if asked else "-"
        table.add_row(str(rank), f"{sample.log_likelihood:.2f}", str(sample.num_drawn), actions or "-", cells)
    return table


def distribution_table(what: str, step: int, answer: str, truth: str, distribution: Mapping[str, float]) -> Table:
    """One element that was asked for, with the probability of every value."""
    title = f"{what} at step {step}: {answer}"
    table = titled_table(title, what, "probability", "", "", right=("probability",))
    for value, share in distribution.items():
        style = "bold" if value == answer else None
        happened = "◀ what happened" if value == truth else ""
        table.add_row(value, f"{share:.1%}", "█" * round(BAR * share), happened, style=style)
    return table


def _elements(elements: Sequence[ElementAnswer]) -> Table:
    right = sum(element.right for element in elements)
    title = f"Actions, directions and returns: {right} of {len(elements)} right"
    table = titled_table(title, "step", "what", "answer", "probability", "truth", "", right=("step", "probability"))
    for e in elements:
        table.add_row(str(e.step), e.attribute, e.answer, f"{e.probability:.1%}", e.truth, mark(e.right))
    return table


def _views(views: Sequence[ViewAnswer]) -> Table:
    num_asked, num_right = sum(len(view.cells) for view in views), sum(view.num_right for view in views)
    counts = ("step", "asked", "right")
    title = f"Views: {num_right} of {num_asked} asked cells right"
    table = titled_table(title, *counts, "what happened", "the answer (wrong cells in reverse)", right=counts)
    for view in views:
        wrong = view.asked & (view.truth != view.answer).any(axis=-1)
        happened, answered = _drawn(view.truth, np.zeros_like(wrong)), _drawn(view.answer, wrong)
        table.add_row(str(view.step), str(len(view.cells)), str(view.num_right), happened, answered, end_section=True)
    return table


def _cells(views: Sequence[ViewAnswer]) -> Table:
    chosen = [(view.step, cell) for view in views for cell in view.cells if cell.notable or not cell.right]
    more = f", {MOST_CELLS} of {len(chosen)}" if len(chosen) > MOST_CELLS else ""
    title = f"Asked cells that hold an object, changed or are wrong{more}"
    numbers = ("step", "column", "row", "probability")
    table = titled_table(title, "step", "column", "row", "answer", "probability", "truth", "", right=numbers)
    for step, cell in chosen[:MOST_CELLS]:
        place = (str(step), str(cell.column), str(cell.row))
        table.add_row(*place, cell.answer, f"{cell.probability:.1%}", cell.truth, mark(cell.right))
    return table


def _drawn(view: np.ndarray, wrong: np.ndarray) -> Text:
    """A view as characters, one line per row."""
    text = Text()
    for row in range(view.shape[1]):
        for column in range(view.shape[0]):
            kind, color, _ = view[column, row]
            style = STYLES.get(COLORS[color], COLORS[color]) if kind > WALL else "dim"
            text.append(GLYPHS[OBJECTS[kind]] + " ", style=style + (" reverse" if wrong[column, row] else ""))
        text.append("\n" if row + 1 < view.shape[1] else "")
    return text


def mark(right: bool) -> Text:
    """A sign for right or wrong."""
    return Text("✓", "green") if right else Text("✗", "red")


MISSIONS_SHOWN = 10


def missions_table(ranked: Sequence[RankedMission], truth: str) -> Table:
    """The most probable missions, and the true one wherever it stands."""
    table = titled_table("Which mission this was, by what was done", "rank", "mission", "probability", "log-likelihood, nats")
    for rank, one in enumerate(ranked, start=1):
        if rank <= MISSIONS_SHOWN or one.mission == truth:
            mark = " (true)" if one.mission == truth else ""
            table.add_row(str(rank), one.mission + mark, f"{one.probability:.1%}", f"{one.log_likelihood:.2f}")
    return table
