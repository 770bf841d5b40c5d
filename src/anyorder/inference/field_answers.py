"""What a model answered about a trajectory of any spec, and what was true, in the names and units of its fields.

Legend: E elements, K targets, V values.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from anyorder.elements.batch import Batch
from anyorder.elements.fields import FieldLayout, frame_columns, mission_columns
from anyorder.elements.spec import Bins, Field, Spec, Words
from anyorder.inference.bin_answers import BinAnswers
from anyorder.inference.decoding import Decoded
from anyorder.masking.order import Order

BAND = 0.05, 0.95
"""Levels of the quantiles between which the truth lies with 90%."""
MOST_NAMED = 64
"""Values of a category whose probabilities are given: the most probable ones."""


@dataclass(frozen=True)
class FieldAnswer:
    """One element that was asked for.

    Attributes:
        element: its number in the trajectory.
        step: environment time, counted from the first observation that the model read; -1 for the mission.
        field: name of its field.
        place: number of its cell in the field's group, which has `num_places`.
        num_places: cells of the group at each step.
        probability: of the chosen value when it was chosen; of a number, of its bin.
    """

    element: int
    step: int
    field: str
    place: int
    num_places: int
    probability: float

    @property
    def name(self) -> str:
        """The field, with the number of its cell where there are several."""
        return named_place(self.field, self.place, self.num_places)


@dataclass(frozen=True)
class CategoryAnswer(FieldAnswer):
    """A value without an order.

    Attributes:
        answer, truth: their names.
        distribution: probabilities of the most probable values, at most `MOST_NAMED`, and of the truth; None where several
            passes answered.
    """

    answer: str
    truth: str
    distribution: dict[str, float] | None

    @property
    def right(self) -> bool:
        """True where the answer is the truth."""
        return self.answer == self.truth

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"kind": "category", **asdict(self), "right": self.right}


@dataclass(frozen=True)
class NumberAnswer(FieldAnswer):
    """A real number, in the field's own unit.

    Attributes:
        answer: the middle of the chosen bin.
        truth: as it was recorded, to the precision of float32.
        deviation: the field's standard deviation in the training data.
        believed: what the model says about it; None where several passes answered.
    """

    answer: float
    truth: float
    deviation: float
    believed: Belief | None

    @property
    def error(self) -> float:
        """Distance of the model's median (without one, of the answer) from the truth, in standard deviations of the field."""
        said = self.answer if self.believed is None else self.believed.median
        return abs(said - self.truth) / self.deviation

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"kind": "number", **asdict(self), "error": self.error}


@dataclass(frozen=True)
class Belief:
    """A model's distribution of a number, in short.

    Attributes:
        median: of it.
        low, high: ends of its central 90% interval.
        truth_level: the share of it that lies below the truth.
        truth_nats: minus the log of its density at the truth, per standard deviation of the field.
    """

    median: float
    low: float
    high: float
    truth_level: float
    truth_nats: float


OneAnswer = CategoryAnswer | NumberAnswer


@dataclass(frozen=True)
class FieldAnswers:
    """All answers about one trajectory, by step, in the order of its elements."""

    elements: tuple[OneAnswer, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"elements": [element.to_json() for element in self.elements]}


def named_place(field: str, place: int, num_places: int) -> str:
    """What people call one cell of a field."""
    return field if num_places == 1 else f"{field}, {place}"


def read_field_answers(spec: Spec, batch: Batch[FieldLayout], order: Order, decoded: Decoded) -> FieldAnswers:
    """A model's answer in names and units, with the truth.

    Args:
        spec: of the model.
        batch: of one trajectory, with the true values.
        order: what was asked.
        decoded: what was answered.
    """
    elements = order.targets[0].nonzero()[:, 0]
    attribute, places = batch.layout.attribute[0, elements], element_places(batch.layout)[elements].tolist()
    steps = batch.layout.step[0, elements].tolist()
    told: dict[int, OneAnswer] = {}
    for number in attribute.unique().tolist():
        rows = (attribute == number).nonzero()[:, 0]
        answers = _of_field(spec.fields[number], batch, decoded, elements, rows, steps, places)
        told.update(zip(rows.tolist(), answers))
    return FieldAnswers(tuple(told[row] for row in range(len(elements))))


def element_places(layout: FieldLayout) -> Tensor:
    """int64 ``[E]``: for each element of a row, the number of its cell in its group; of words, their number."""
    shape = layout.frame_shape
    of_mission = mission_columns(layout.spec).place
    words = torch.arange(shape.num_head - len(of_mission))
    return torch.cat([of_mission, words, frame_columns(layout.spec).place.repeat(shape.num_frames)])


def true_numbers(layout: FieldLayout, field: Field) -> Tensor:
    """float64 ``[E]``: of one trajectory, the recorded numbers of a field's elements, in the field's unit."""
    assert isinstance(field.values, Bins)
    return layout.numbers[0].double() * field.values.deviation + field.values.mean


def _of_field(
    field: Field,
    batch: Batch[FieldLayout],
    decoded: Decoded,
    elements: Tensor,
    rows: Tensor,
    steps: list[int],
    places: list[int],
) -> Iterator[OneAnswer]:
    """The answers about one field: ``rows`` says which of the K targets in ``elements`` are its."""
    chosen = elements[rows]
    logits = None if decoded.logits is None else decoded.logits[rows, : len(field.values)]
    sure, answers = decoded.probability[0, chosen].tolist(), decoded.values[0, chosen]
    where = [
        (element, steps[row], field.name, places[row], field.num_cells, probability)
        for element, row, probability in zip(chosen.tolist(), rows.tolist(), sure)
    ]
    if isinstance(field.values, Bins):
        truth = true_numbers(batch.layout, field)[chosen]
        believed = [None] * len(rows) if logits is None else _believed(logits, field.values, batch.values[0, chosen], truth)
        middles = field.values.recorded(answers.numpy()).tolist()
        for place, answer, true, belief in zip(where, middles, truth.tolist(), believed):
            yield NumberAnswer(*place, answer, true, field.values.deviation, belief)
        return
    names = field.values.words if isinstance(field.values, Words) else field.values.names
    shares = None if logits is None else logits.double().softmax(dim=1)
    for number, (place, answer, true) in enumerate(zip(where, answers.tolist(), batch.values[0, chosen].tolist())):
        distribution = None if shares is None else _most_named(shares[number], names, true)
        yield CategoryAnswer(*place, names[answer], names[true], distribution)


def _believed(logits: Tensor, values: Bins, bins: Tensor, truth: Tensor) -> list[Belief | None]:
    """Of each row: ``bins``, int64, and ``truth``, float64, are the true ones."""
    answers = BinAnswers.of(logits, values)
    quantiles = answers.quantiles(0.5, *BAND).tolist()
    upto, inside = (p.gather(1, bins[:, None])[:, 0] for p in (answers.probabilities.cumsum(dim=1), answers.probabilities))
    share = ((truth - values.low) / values.width - bins).clamp(0, 1)
    levels = (upto - inside + share * inside).clamp(0, 1)
    offset = math.log(values.width / values.deviation)
    nats = offset - logits.double().log_softmax(dim=1).gather(1, bins[:, None])[:, 0]  # finite, however small
    rows = zip(quantiles, levels.tolist(), nats.tolist())
    return [Belief(median, low, high, level, cost) for (median, low, high), level, cost in rows]


def _most_named(shares: Tensor, names: tuple[str, ...], truth: int) -> dict[str, float]:
    """In the order of the field's values."""
    kept = {truth, *shares.topk(min(MOST_NAMED, len(names))).indices.tolist()}
    return {names[value]: float(shares[value]) for value in sorted(kept)}


def told_numbers(spec: Spec, layout: FieldLayout, order: Order, decoded: Decoded) -> Tensor:
    """float64 ``[E, 3]``: of one trajectory, the answer to each target and both ends of its band; NaN elsewhere.

    The answer of a number is the model's median; where several passes answered, the middle of the chosen bin, without a band.
    That of a category is the number of the chosen value.
    """
    found = torch.full((layout.shape[1], 3), torch.nan, dtype=torch.float64)
    elements = order.targets[0].nonzero()[:, 0]
    for number in layout.attribute[0, elements].unique().tolist():
        rows, values = (layout.attribute[0, elements] == number).nonzero()[:, 0], spec.fields[number].values
        chosen = decoded.values[0, elements[rows]]
        if not isinstance(values, Bins):
            found[elements[rows], 0] = chosen.double()
        elif decoded.logits is None:
            found[elements[rows], 0] = torch.from_numpy(np.asarray(values.recorded(chosen.numpy())))
        else:
            found[elements[rows]] = BinAnswers.of(decoded.logits[rows], values).quantiles(0.5, *BAND)
    return found
