"""One trajectory of any spec, field by field over time: what was true, what was hidden, what a model answered.

Legend: F frames, P elements of a frame, K targets, V values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from anyorder.elements.batch import Batch
from anyorder.elements.fields import FieldLayout, frame_columns
from anyorder.elements.spec import Bins, Categories, Field, Spec
from anyorder.inference.decoding import Decoded, ask
from anyorder.inference.field_answers import named_place, told_numbers, true_numbers
from anyorder.masking.order import Order, Role
from anyorder.models.element.element_transformer import ElementTransformer

MOST_SERIES = 8


@dataclass(frozen=True, eq=False)
class FieldSeries:
    """One element of every frame; all arrays are float64 ``[F]``, NaN where there is nothing.

    Attributes:
        name: of the field, with the number of its cell where its group has several.
        values: of the field.
        truth: in the field's own unit; of categories, their numbers.
        hidden: bool ``[F]``, True where it was asked for.
        unseen: bool ``[F]``, True where it was neither shown nor asked for.
        answer: where it was asked for, the model's median; of categories, the most probable one.
        low, high: the model's central 90% interval; NaN for categories.
    """

    name: str
    values: Bins | Categories
    truth: np.ndarray
    hidden: np.ndarray
    unseen: np.ndarray
    answer: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @property
    def error(self) -> np.ndarray:
        """float64 ``[F]``: absolute error of a number; 0 or 1 of a category."""
        off = np.abs(self.answer - self.truth)
        return off if isinstance(self.values, Bins) else np.where(np.isnan(off), np.nan, off > 0)


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
    logits = ask(model, batch, order)
    values = batch.values.masked_scatter(order.targets, logits.argmax(dim=-1))
    return answered_series(model.spec, batch, order, Decoded(values, torch.ones(values.shape), logits), most)


def answered_series(
    spec: Spec, batch: Batch[FieldLayout], order: Order, decoded: Decoded, most: int = MOST_SERIES
) -> list[FieldSeries]:
    """The same, with what a decoder answered; fields of which something was asked come before others."""
    frames = batch.layout.frame_shape.frames
    told = frames(told_numbers(spec, batch.layout, order, decoded)[None])[0]
    unseen = batch.layout.present & ~order.targets & (order.roles != Role.CONTEXT)
    values, present, asked = (frames(t)[0] for t in (batch.values, batch.layout.present, order.targets))
    apart = frames(unseen)[0].numpy()
    found = []
    for column, field in shown_columns(spec, asked.any(dim=0), most):
        if isinstance(field.values, Bins):
            truth = frames(true_numbers(batch.layout, field)[None])[0, :, column]
        else:
            truth = values[:, column].double()
        truth = truth.masked_fill(~present[:, column], torch.nan)
        three = told[:, column].numpy().T
        assert isinstance(field.values, (Bins, Categories))  # words are part of the mission
        name = named_place(field.name, int(frame_columns(spec).place[column]), field.num_cells)
        found.append(FieldSeries(name, field.values, truth.numpy(), asked[:, column].numpy(), apart[:, column], *three))
    return found


def shown_columns(spec: Spec, asked: Tensor, most: int = MOST_SERIES) -> list[tuple[int, Field]]:
    """Column in a frame and field of each series; returns-to-go, which orders leave out, are none. ``asked``, bool ``[P]``,
    says which columns come first where there are too many."""
    columns = [(column, spec.fields[number]) for column, number in enumerate(frame_columns(spec).attribute.tolist())]
    actions, observed = ([one for one in columns if one[1].kind == kind] for kind in ("action", "observation"))
    shown = _evenly(actions, asked, max(most - len(observed), most // 3))
    return [*_evenly(observed, asked, most - len(shown)), *shown]


def _evenly(items: Sequence[tuple[int, Field]], asked: Tensor, most: int) -> list[tuple[int, Field]]:
    """At most so many of them, evenly spread over those that were asked, then over the others."""
    first = [one for one in items if asked[one[0]]]
    others = [one for one in items if not asked[one[0]]]
    kept = _spread(first, min(most, len(first)))
    return sorted(kept + _spread(others, min(most - len(kept), len(others))), key=lambda one: one[0])


def _spread(items: Sequence[tuple[int, Field]], number: int) -> list[tuple[int, Field]]:
    return [items[round(place * (len(items) - 1) / max(1, number - 1))] for place in range(number)]
