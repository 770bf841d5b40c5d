"""What a model answered, and what was true, in MiniGrid's words.

Legend: E elements, F frames, X columns and Y rows of a view.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from anyorder.elements.batch import Batch
from anyorder.elements.contents import PLAIN_LOOKS
from anyorder.elements.grid import WALL, Attribute, GridLayout, GridVocabulary
from anyorder.elements.raw_grid import raw_cells
from anyorder.envs.minigrid import ACTIONS, COLORS, DOOR_STATES, OBJECTS
from anyorder.inference.decoding import Decoded
from anyorder.masking.order import Order


@dataclass(frozen=True)
class ElementAnswer:
    """One element that is not part of a grid square: an action, a direction, a return, a word of the mission.

    Attributes:
        step: environment time; -1 for a word.
        attribute: ``action``, ``direction``, ``return`` or ``word``.
        answer, truth: an action's name, a word, otherwise a number.
        probability: of the answer when it was chosen.
        distribution: probability of every value; None where several passes answered.
    """

    step: int
    attribute: str
    answer: str
    truth: str
    probability: float
    distribution: dict[str, float] | None

    @property
    def right(self) -> bool:
        """True where the answer is the truth."""
        return self.answer == self.truth


@dataclass(frozen=True)
class CellAnswer:
    """One grid square that was asked for, whole or in part.

    Attributes:
        column, row: in the agent's view; the agent is in the middle of the last row and looks to row 0.
        answer, truth: e.g. ``red ball``.
        probability: product over the attributes that were asked for.
        notable: True for an object in the answer or in truth, and for what changed since the step before.
    """

    column: int
    row: int
    answer: str
    truth: str
    probability: float
    notable: bool

    @property
    def right(self) -> bool:
        """True where the answer is the truth."""
        return self.answer == self.truth


@dataclass(frozen=True, eq=False)
class ViewAnswer:
    """An observation of which at least one grid square was asked for.

    Attributes:
        step: environment time.
        truth, answer: uint8 ``[X, Y, 3]``.
        asked: bool ``[X, Y]``.
        cells: the squares asked for.
    """

    step: int
    truth: np.ndarray
    answer: np.ndarray
    asked: np.ndarray
    cells: tuple[CellAnswer, ...]

    @property
    def num_right(self) -> int:
        """How many of `cells` were answered right."""
        return sum(cell.right for cell in self.cells)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        cells = [asdict(cell) | {"right": cell.right} for cell in self.cells]
        return {"step": self.step, "num_asked": len(cells), "num_right": self.num_right, "cells": cells}


@dataclass(frozen=True)
class Answer:
    """All answers about one trajectory, by step."""

    elements: tuple[ElementAnswer, ...]
    views: tuple[ViewAnswer, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        elements = [asdict(element) | {"right": element.right} for element in self.elements]
        return {"elements": elements, "observations": [view.to_json() for view in self.views]}


def read_answer(vocabulary: GridVocabulary, batch: Batch[GridLayout], order: Order, decoded: Decoded) -> Answer:
    """A model's answer in words, with the truth.

    Args:
        vocabulary: of the model.
        batch: of one trajectory, with the true values.
        order: what was asked.
        decoded: what was answered.
    """
    return Answer(_elements(vocabulary, batch, order, decoded), _views(vocabulary, batch, order, decoded))


def cell_name(cell: np.ndarray) -> str:
    """``wall``, ``red ball``, ``open green door``; of a uint8 ``[3]``. Equal names are equal cells."""
    kind, color, state = (int(number) for number in cell)
    # Color and state of background are named only where they are unusual.
    if PLAIN_LOOKS.get(kind) == (color, state):
        return OBJECTS[kind]
    # A state means something for doors alone; for the rest it is named only where it is not 0.
    name = DOOR_STATES[state] + " " if OBJECTS[kind] == "door" and state < len(DOOR_STATES) else ""
    return f"{name}{COLORS[color]} {OBJECTS[kind]}" + (f" (state {state})" if state and not name else "")


def value_names(vocabulary: GridVocabulary, attribute: Attribute) -> Sequence[str]:
    """What the values of an attribute are called: actions, words; for every other attribute the number."""
    named = {Attribute.ACTION: ACTIONS, Attribute.WORD: vocabulary.words}
    return named.get(attribute) or [str(number) for number in range(vocabulary.sizes[attribute])]


def _elements(
    vocabulary: GridVocabulary, batch: Batch[GridLayout], order: Order, decoded: Decoded
) -> tuple[ElementAnswer, ...]:
    layout, answers = batch.layout, []
    for number, element in enumerate(order.targets[0].nonzero()[:, 0].tolist()):
        attribute = Attribute(int(layout.attribute[0, element]))
        if attribute <= Attribute.STATE:
            continue
        names = value_names(vocabulary, attribute)
        start, size = vocabulary.offsets[attribute], len(names)
        distribution = None
        if decoded.logits is not None:
            shares = decoded.logits[number, start : start + size].float().softmax(dim=0).tolist()
            distribution = dict(zip(names, shares, strict=True))
        answers.append(
            ElementAnswer(
                int(layout.step[0, element]),
                attribute.name.lower(),
                names[int(decoded.values[0, element]) - start],
                names[int(batch.values[0, element]) - start],
                float(decoded.probability[0, element]),
                distribution,
            )
        )
    return tuple(answers)


def _views(vocabulary: GridVocabulary, batch: Batch[GridLayout], order: Order, decoded: Decoded) -> tuple[ViewAnswer, ...]:
    shape = batch.layout.grid
    size = (shape.columns, shape.rows)
    truth, answer = (raw_cells(values, shape, vocabulary)[0] for values in (batch.values, decoded.values))
    asked = shape.cells(order.targets)[0].any(dim=-1).unflatten(-1, size).numpy()
    sure = torch.where(shape.cells(order.targets), shape.cells(decoded.probability), 1.0).prod(dim=-1)[0]
    sure = sure.unflatten(-1, size).numpy()
    changed = np.zeros(asked.shape, bool)
    changed[1:] = (truth[1:] != truth[:-1]).any(axis=-1)
    notable = changed | (truth[..., 0] > WALL) | (answer[..., 0] > WALL)
    return tuple(
        ViewAnswer(
            step,
            truth[step],
            answer[step],
            asked[step],
            tuple(
                CellAnswer(
                    int(x),
                    int(y),
                    cell_name(answer[step, x, y]),
                    cell_name(truth[step, x, y]),
                    float(sure[step, x, y]),
                    bool(notable[step, x, y]),
                )
                for x, y in np.argwhere(asked[step])
            ),
        )
        for step in np.flatnonzero(asked.any(axis=(1, 2))).tolist()
    )
