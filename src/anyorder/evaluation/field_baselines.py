"""Baselines without learning, for any spec: the shares of the values, a copy of what is visible nearest in time, and for real
numbers a line through what is visible. How far to trust a copy and a line is measured on the training split, which is asked in
the same way.

Legend: K targets, V values.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import torch
from torch import Tensor

from anyorder.elements.batch import Budget, EncodedData
from anyorder.elements.fields import FieldLayout
from anyorder.elements.layout import Kind
from anyorder.elements.spec import Bins, Spec
from anyorder.evaluation.field_modes import FieldMode
from anyorder.inference.bin_answers import BinAnswers
from anyorder.seeding import stream

MOST_FITTED_BATCHES = 40
"""Batches of the training split, evenly spread over its lengths, on which copies and lines are tried."""
DOUBT = 0.01
"""The share of the marginal distribution in those of a copy and of a line: so every value has a probability."""
LEAST_SCALE = 1e-3
"""Standard deviations: the smallest error that a copy or a line is said to have on average."""


@dataclass(frozen=True, eq=False)
class FieldBaseline:
    """What the baselines know of one field.

    Attributes:
        shares: float64 ``[V]``, of each value in the training split; every count is raised by one.
        median: of the training split, in standard deviations from its mean; 0 for categories.
        kept: how often a copy is right, both counts raised by one; for categories.
        copy_scale, line_scale: mean absolute errors of a copy and of a line, in standard deviations.
    """

    shares: Tensor
    median: float
    kept: float
    copy_scale: float
    line_scale: float

    def likelihood_of_copies(self, truth: Tensor, copy: Tensor, copied: Tensor) -> Tensor:
        """float64 ``[K]``: probabilities of categories if a copy is right as often as measured, and the other values share the
        rest in proportion to their shares. Where there is nothing to copy, it is the share."""
        others = (1 - self.kept) * self.shares[truth] / (1 - self.shares[copy]).clamp(min=1e-12)
        return torch.where(copied, torch.where(copy == truth, self.kept, others), self.shares[truth])

    def likelihood_around(self, truth: Tensor, centre: Tensor, scale: float, copied: Tensor, bins: Bins) -> Tensor:
        """float64 ``[K]``: probabilities of the true bins if errors are Laplace distributed around ``centre`` (float64
        ``[K]``, in standard deviations from the mean), with `DOUBT`. Where there is nothing to go by, it is the share."""
        start = (bins.low - bins.mean + truth * bins.width) / bins.deviation
        low = start.masked_fill(truth == 0, -torch.inf)
        high = (start + bins.width / bins.deviation).masked_fill(truth == len(bins) - 1, torch.inf)
        near = _laplace_below((high - centre) / scale) - _laplace_below((low - centre) / scale)
        return torch.where(copied, (1 - DOUBT) * near.clamp(min=0) + DOUBT * self.shares[truth], self.shares[truth])


def _laplace_below(x: Tensor) -> Tensor:
    half = (-x.abs()).exp() / 2
    return torch.where(x < 0, half, 1 - half)


def value_shares(data: EncodedData[FieldLayout], spec: Spec, budget: Budget) -> list[Tensor]:
    """Of each field, how often it has each of its values in a split, float64 ``[V]``; every count is raised by one."""
    counts = torch.ones(len(spec.fields), spec.size, dtype=torch.float64)
    for index in data.in_order(budget):
        batch = data.batch(index)
        counted = batch.layout.present & ~batch.layout.of_kind(Kind.MISSION)
        place = batch.layout.attribute[counted] * spec.size + batch.values[counted]
        counts += torch.bincount(place, minlength=counts.numel()).view(counts.shape)
    own = [row[: len(field.values)] for row, field in zip(counts, spec.fields)]
    return [row / row.sum() for row in own]


def fit_baselines(
    data: EncodedData[FieldLayout], spec: Spec, mode: FieldMode, shares: list[Tensor], budget: Budget, seed: int
) -> list[FieldBaseline]:
    """The baselines of each field, by its number.

    Args:
        data: the training split.
        spec: its fields.
        mode: what will be asked.
        shares: see `value_shares`.
        budget: size of a batch.
        seed: of what is random in the mode.
    """
    sums: dict[int, Tensor] = defaultdict(lambda: torch.zeros(4, dtype=torch.float64))  # copies, right, errors
    batches = data.in_order(budget)
    for number, index in enumerate(batches[:: -(-len(batches) // MOST_FITTED_BATCHES)]):
        for found in mode(data.batch(index), stream(seed, "baselines", number)):
            asked = found.questions()
            right = (asked.copy == asked.truth).double()
            off = (asked.copy_number - asked.number).abs(), (asked.line_number - asked.number).abs()
            columns = torch.stack([torch.ones_like(right), right, *off], dim=-1)[asked.copied]
            for field in asked.field[asked.copied].unique().tolist():
                sums[field] += columns[asked.field[asked.copied] == field].sum(dim=0)
    return [_baseline(sums[number], shares[number], field.values) for number, field in enumerate(spec.fields)]


def _baseline(sums: Tensor, shares: Tensor, values: object) -> FieldBaseline:
    count, right, copy_error, line_error = sums.tolist()
    median = 0.0
    if isinstance(values, Bins):
        median = (float(BinAnswers(shares[None], values).quantiles(0.5)[0, 0]) - values.mean) / values.deviation
    scales = (max(LEAST_SCALE, error / count) if count else 1.0 for error in (copy_error, line_error))
    return FieldBaseline(shares, median, (right + 1) / (count + 2), *scales)
