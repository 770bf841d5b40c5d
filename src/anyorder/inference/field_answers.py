"""What a model answered about fields, and what was true.

Legend: E elements, K targets, V values.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from anyorder.elements.batch import Batch
from anyorder.elements.fields import FieldLayout
from anyorder.elements.spec import Bins, Categories, Field, Spec
from anyorder.inference.bin_answers import BinAnswers
from anyorder.inference.decoding import Decoded
from anyorder.masking.order import Order

MOST_LISTED = 12
"""Categories whose probabilities are listed."""


@dataclass(frozen=True)
class FieldAnswer:
    """One element.

    Attributes:
        step: environment time; -1 for the mission.
        field: its name, with the number of the cell where its group has several.
        answer, truth: a category's name, or a number.
        probability: of the category, or of the chosen bin, when it was chosen.
        right: True for the true category; for numbers, where the truth lies in the interval, or in the chosen bin where there
            is no interval.
        low, high: the model's central 90% interval of a number; None where several passes answered, and for categories.
        distribution: probability of each category; None for numbers, where several passes answered, and for more than
            `MOST_LISTED` categories.
    """

    step: int
    field: str
    answer: str | float
    truth: str | float
    probability: float
    right: bool
    low: float | None = None
    high: float | None = None
    distribution: dict[str, float] | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def read_field_answers(spec: Spec, batch: Batch[FieldLayout], order: Order, decoded: Decoded) -> list[FieldAnswer]:
    """Of each target, in the order in which they lie.

    Args:
        spec: of the trajectories.
        batch: of one trajectory, with the true values.
        order: what was asked.
        decoded: what was answered.
    """
    return list(_answers(spec, batch, order, decoded))


def _answers(spec: Spec, batch: Batch[FieldLayout], order: Order, decoded: Decoded) -> Iterator[FieldAnswer]:
    layout = batch.layout
    first = _first_cells(layout)
    for number, (row, element) in enumerate(order.targets.nonzero().tolist()):
        at = row, element
        field, step = spec.fields[int(layout.attribute[at])], int(layout.step[at])
        place = int(layout.cell[at]) - first[int(layout.attribute[at]), step]
        name = field.name if field.num_cells == 1 else f"{field.name}, {place}"
        logits = None if decoded.logits is None else decoded.logits[number : number + 1]
        chosen, probability = int(decoded.values[at]), float(decoded.probability[at])
        if isinstance(field.values, Bins):
            right = chosen == int(batch.values[at])
            yield _number(field.values, step, name, chosen, probability, right, float(layout.numbers[at]), logits)
        else:
            yield _category(field, step, name, chosen, probability, int(batch.values[at]), logits)


def _first_cells(layout: FieldLayout) -> dict[tuple[int, int], int]:
    """Field and step -> the smallest number of a cell."""
    found: dict[tuple[int, int], int] = {}
    for field, step, cell in zip(layout.attribute[0].tolist(), layout.step[0].tolist(), layout.cell[0].tolist()):
        found[field, step] = min(cell, found.get((field, step), cell))
    return found


def _number(
    bins: Bins,
    step: int,
    name: str,
    chosen: int,
    probability: float,
    right: bool,
    scaled: float,
    logits: torch.Tensor | None,
) -> FieldAnswer:
    truth = scaled * bins.deviation + bins.mean
    if logits is None:
        return FieldAnswer(step, name, float(bins.recorded(np.array(chosen))), truth, probability, right)
    low, median, high = BinAnswers.of(logits, bins).quantiles(0.05, 0.5, 0.95)[0].tolist()
    return FieldAnswer(step, name, median, truth, probability, low <= truth <= high, low, high)


def _category(
    field: Field, step: int, name: str, chosen: int, probability: float, truth: int, logits: torch.Tensor | None
) -> FieldAnswer:
    names = field.values.names if isinstance(field.values, Categories) else field.values.words  # type: ignore[union-attr]
    distribution = None
    if logits is not None and len(names) <= MOST_LISTED:
        distribution = dict(zip(names, logits[0, : len(names)].cpu().double().softmax(dim=-1).tolist()))
    return FieldAnswer(step, name, names[chosen], names[truth], probability, chosen == truth, distribution=distribution)
