"""A model's answer about fields for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from rich.table import Table
from rich.text import Text

from anyorder.elements.spec import Spec
from anyorder.inference.field_answers import CategoryAnswer, FieldAnswers, NumberAnswer, OneAnswer
from anyorder.inference.futures import RankedSample
from anyorder.pictures.answer_tables import MOST_SAMPLES, distribution_table, mark
from anyorder.terminal import titled_table

MOST_LISTED, MOST_SUMMED, MOST_SURPRISES, MOST_ACTIONS_SHOWN = 48, 24, 12, 10


def field_answer_tables(answer: FieldAnswers) -> Iterator[Table]:
    """Every element, by step; where they are many, a line for each field, and the elements that surprised the model most."""
    elements = answer.elements
    alone = elements[0] if len(elements) == 1 else None
    if isinstance(alone, CategoryAnswer) and alone.distribution and alone.step >= 0:
        yield distribution_table(alone.name, alone.step, alone.answer, alone.truth, alone.distribution)
    elif len(elements) <= MOST_LISTED:
        yield _listed(f"Elements asked: {_score(elements)}", elements)
    else:
        yield _summed(elements)
        surprises = sorted(elements, key=_surprise, reverse=True)[:MOST_SURPRISES]
        yield _listed(f"The {len(surprises)} that the model found least probable", sorted(surprises, key=lambda e: e.element))


def field_samples_table(spec: Spec, samples: Sequence[RankedSample[FieldAnswers]], truth: float | None = None) -> Table:
    """Samples, the most probable first, beside the log-likelihood of what happened where it is known."""
    beside = "" if truth is None else f" (what happened: {truth:.2f} nats)"
    counts = ("rank", "nats", "drawn", "categories right", "error of numbers, SD")
    table = titled_table(f"Samples by log-likelihood{beside}", *counts[:3], "actions", *counts[3:], right=counts)
    acted = {one.name for one in spec.of_kind("action")}
    for rank, sample in enumerate(samples[:MOST_SAMPLES], start=1):
        elements = sample.answer.elements
        actions = [said(element) for element in elements if element.field in acted]
        shown = " ".join(actions[:MOST_ACTIONS_SHOWN]) + (" …" if len(actions) > MOST_ACTIONS_SHOWN else "")
        tally = _Tally.of(elements)
        place = (str(rank), f"{sample.log_likelihood:.2f}", str(sample.num_drawn))
        table.add_row(*place, shown or "-", tally.right_of_all, tally.mean_error)
    return table


def said(element: OneAnswer) -> str:
    """An answer as people read it: a name; of a number, the model's median where it is known."""
    if isinstance(element, CategoryAnswer):
        return element.answer
    return f"{element.answer if element.believed is None else element.believed.median:.4g}"


def _listed(title: str, elements: Sequence[OneAnswer]) -> Table:
    right = ("step", "answer", "90%", "truth", "probability")
    table = titled_table(title, "step", "field", *right[1:], "", right=right)
    for number, element in enumerate(elements):
        last = number + 1 == len(elements) or elements[number + 1].step != element.step
        step = str(element.step) if element.step >= 0 else "mission"
        table.add_row(step, element.name, *_cells(element), end_section=last)
    return table


def _cells(element: OneAnswer) -> tuple[str, str, str, str, Text]:
    sure = f"{element.probability:.1%}"
    if isinstance(element, CategoryAnswer):
        return element.answer, "", element.truth, sure, mark(element.right)
    truth, believed = f"{element.truth:.4g}", element.believed
    if believed is None:
        return said(element), "", truth, sure, Text(f"{element.error:.2f} SD off", "dim")
    band = f"{believed.low:.4g} to {believed.high:.4g}"
    inside = believed.low <= element.truth <= believed.high
    return said(element), band, truth, sure, mark(inside)


def _score(elements: Sequence[OneAnswer]) -> str:
    tally = _Tally.of(elements)
    told = []
    if tally.right:
        told.append(f"{tally.right_of_all} categories right")
    if tally.inside:
        told.append(f"{sum(tally.inside)} of {len(tally.inside)} numbers within their 90%")
    elif tally.errors:
        told.append(f"numbers {tally.mean_error} standard deviations off")
    return ", ".join(told)


def _summed(elements: Sequence[OneAnswer]) -> Table:
    """A line for each field, at most so many, and one for all."""
    by_field: dict[str, list[OneAnswer]] = {}
    for element in elements:
        by_field.setdefault(element.field, []).append(element)
    counts = ("asked", "categories right", "error of numbers, SD", "within 90%")
    more = f", {MOST_SUMMED} of {len(by_field)} fields" if len(by_field) > MOST_SUMMED else ""
    table = titled_table(f"{len(elements)} elements asked{more}", "field", *counts, right=counts)
    shown = list(by_field.items())[:MOST_SUMMED]
    for name, of_field in [*shown, ("all", list(elements))]:
        tally = _Tally.of(of_field)
        inside = f"{np.mean(tally.inside):.0%}" if tally.inside else "-"
        row = (name, str(len(of_field)), tally.right_of_all, tally.mean_error, inside)
        table.add_row(*row, end_section=name == shown[-1][0])
    return table


def _surprise(element: OneAnswer) -> float:
    """How improbable the model found the truth: nats; where that is not known, the worst answers come first."""
    if isinstance(element, NumberAnswer):
        return element.error if element.believed is None else element.believed.truth_nats
    if element.distribution is None:
        return 0.0 if element.right else 1.0
    return float(-np.log(max(element.distribution[element.truth], 1e-300)))


@dataclass(frozen=True)
class _Tally:
    """What came of elements: which categories are right, errors of numbers, which numbers lie in their band."""

    right: list[bool] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    inside: list[bool] = field(default_factory=list)

    @classmethod
    def of(cls, elements: Sequence[OneAnswer]) -> _Tally:
        numbers = [element for element in elements if isinstance(element, NumberAnswer)]
        told = [(one.truth, one.believed) for one in numbers if one.believed is not None]
        return cls(
            [element.right for element in elements if isinstance(element, CategoryAnswer)],
            [number.error for number in numbers],
            [believed.low <= truth <= believed.high for truth, believed in told],
        )

    @property
    def right_of_all(self) -> str:
        return f"{sum(self.right)} of {len(self.right)}" if self.right else "-"

    @property
    def mean_error(self) -> str:
        return f"{np.mean(self.errors):.2f}" if self.errors else "-"
