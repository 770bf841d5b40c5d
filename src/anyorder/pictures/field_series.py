"""One trajectory of any spec, field by field over time: what was true, what was hidden, what a model answered.

Legend: F frames, P elements of a frame, K targets, V values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from anyorder.elements.batch import Batch
from anyorder.elements.fields import FieldLayout, frame_columns
from anyorder.elements.spec import Bins, Categories, Field
from anyorder.inference.bin_answers import BinAnswers
from anyorder.inference.decoding import ask
from anyorder.masking.order import Order
from anyorder.models.element.element_transformer import ElementTransformer

BAND = 0.05, 0.95
"""Levels of the quantiles between which the truth lies with 90%."""
MOST_SERIES = 8


@dataclass(frozen=True, eq=False)
class FieldSeries:
    """One element of every frame; all arrays are float64 ``[F]``, NaN where there is nothing.

    Attributes:
        name: of the field, with the number of its cell where its group has several.
        values: of the field.
        truth: in the field's own unit; of categories, their numbers.
        hidden: bool ``[F]``, True where it was asked for.
        answer: where it was asked for, the model's median; of categories, the most probable one.
        low, high: the model's central 90% interval; NaN for categories.
    """

    name: str
    values: Bins | Categories
    truth: np.ndarray
    hidden: np.ndarray
    answer: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @property
    def error(self) -> np.ndarray:
        """float64 ``[F]``: absolute error of a number; 0 or 1 of a category."""
        off = np.abs(self.answer - self.truth)
        return off if isinstance(self.values, Bins) else np.where(np.isnan(off), np.nan, off > 0)


@torch.no_grad()
def field_series(
    model: ElementTransformer, batch: Batch[FieldLayout], order: Order, most: int = MOST_SERIES
) -> list[FieldSeries]:
    """At most so many series of one trajectory: actions, and observations from the first to the last field.

    Args:
        model: in evaluation mode.
        batch: of one trajectory.
        order: what is asked in one pass.
        most: how many at most.
    """
    frames = batch.layout.frame_shape.frames
    answers = torch.full((*batch.values.shape, 3), torch.nan, dtype=torch.float64)
    answers[order.targets] = _answers(model, ask(model, batch, order), batch.layout.attribute[order.targets])
    values, numbers, present = (frames(t)[0] for t in (batch.values, batch.layout.numbers, batch.layout.present))
    asked, told = frames(order.targets)[0], frames(answers)[0]
    found = []
    for column, field, name in _chosen(model, most):
        if isinstance(field.values, Bins):
            truth = numbers[:, column].double() * field.values.deviation + field.values.mean
        else:
            truth = values[:, column].double()
        truth = truth.masked_fill(~present[:, column], torch.nan)
        three = told[:, column].numpy().T
        assert isinstance(field.values, (Bins, Categories))  # words are part of the mission
        found.append(FieldSeries(name, field.values, truth.numpy(), asked[:, column].numpy(), *three))
    return found


def _answers(model: ElementTransformer, logits: Tensor, attribute: Tensor) -> Tensor:
    """float64 ``[K, 3]``: answer and both ends of its band."""
    found = torch.full((len(logits), 3), torch.nan, dtype=torch.float64)
    for number in attribute.unique().tolist():
        chosen, values = attribute == number, model.spec.fields[number].values
        if isinstance(values, Bins):
            found[chosen] = BinAnswers.of(logits[chosen], values).quantiles(0.5, *BAND)
        else:
            found[chosen, 0] = logits[chosen, : len(values)].argmax(dim=-1).double()
    return found


def _chosen(model: ElementTransformer, most: int) -> Iterator[tuple[int, Field, str]]:
    """Column in a frame, field and name of each series; returns-to-go, which orders leave out, are none."""
    named, places = [], Counter[int]()
    for column, number in enumerate(frame_columns(model.spec).attribute.tolist()):
        field, place = model.spec.fields[number], places[number]
        places[number] += 1
        if field.kind in ("observation", "action"):
            named.append((column, field, field.name if field.num_cells == 1 else f"{field.name}, {place}"))
    actions = [one for one in named if one[1].kind == "action"]
    observed = [one for one in named if one[1].kind == "observation"]
    shown = _evenly(actions, max(most - len(observed), most // 3))
    yield from _evenly(observed, most - len(shown))
    yield from shown


def _evenly(items: Sequence[tuple[int, Field, str]], most: int) -> list[tuple[int, Field, str]]:
    """At most so many of them, evenly spread."""
    if len(items) <= most:
        return list(items)
    return [items[round(place * (len(items) - 1) / max(1, most - 1))] for place in range(most)]
