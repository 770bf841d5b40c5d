"""Shares, means and differences, always with their uncertainty.

Legend: S training seeds, N items (episodes) that all of them were judged on, R resamples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.stats import binomtest
from scipy.stats import t as student

CONFIDENCE = 0.95
NUM_RESAMPLES = 2000


@dataclass(frozen=True)
class Proportion:
    """A number of successes out of a count, with the 95% Wilson interval of the underlying rate.

    The interval takes the trials as independent. Episodes from different seeds are; the elements of one trajectory
    are not, so there the interval shows less than the true uncertainty.

    Attributes:
        successes: 0..count.
        count: at least 1.

    Raises:
        ValueError: for numbers outside these bounds.
    """

    successes: int
    count: int

    def __post_init__(self) -> None:
        if self.count < 1 or not 0 <= self.successes <= self.count:
            raise ValueError(
                f"a proportion must have 0 <= successes <= count and count >= 1; found {self.successes} of {self.count}"
            )

    @property
    def rate(self) -> float:
        """successes / count."""
        return self.successes / self.count

    @cached_property
    def interval(self) -> tuple[float, float]:
        """Lower and upper bound of the 95% Wilson interval."""
        found = binomtest(self.successes, self.count).proportion_ci(CONFIDENCE, method="wilson")
        return float(found.low), float(found.high)

    def to_json(self) -> dict[str, Any]:
        """Counts, rate and interval as plain numbers."""
        low, high = self.interval
        return {"rate": self.rate, "low": low, "high": high, "successes": self.successes, "count": self.count}

    def __str__(self) -> str:
        """In percent, e.g. ``96.2% [94.1, 97.6]``."""
        low, high = self.interval
        return f"{100 * self.rate:.1f}% [{100 * low:.1f}, {100 * high:.1f}]"


@dataclass(frozen=True)
class Estimate:
    """A mean or a difference of means with its 95% interval.

    Attributes:
        value: as measured.
        low, high: bounds of the interval; infinite where there is no interval, as with a single seed.
    """

    value: float
    low: float
    high: float

    @property
    def is_bounded(self) -> bool:
        """False if there is no interval."""
        return bool(np.isfinite([self.low, self.high]).all())

    def verdict(self, higher_is_better: bool = True) -> str:
        """What a difference says: "better", "worse", or "not distinguishable" if the interval holds 0."""
        if self.low <= 0 <= self.high:
            return "not distinguishable"
        return "better" if (self.low > 0) == higher_is_better else "worse"

    def to_json(self) -> dict[str, float | None]:
        """Plain numbers; the bounds are None where there is no interval."""
        bounds = {"low": self.low, "high": self.high}
        return {"value": self.value, **{name: bound if self.is_bounded else None for name, bound in bounds.items()}}


def mean_over_seeds(values: np.ndarray) -> Estimate:
    """The mean of one figure per training seed, with Student's 95% interval; a single seed has no interval.

    Args:
        values: float ``[S]``.
    """
    values = np.asarray(values, dtype=float)
    mean, num = float(values.mean()), len(values)
    if num < 2:
        return Estimate(mean, -np.inf, np.inf)
    half = float(student.ppf((1 + CONFIDENCE) / 2, num - 1) * values.std(ddof=1) / np.sqrt(num))
    return Estimate(mean, mean - half, mean + half)


def mean_over_seeds_and_items(values: np.ndarray, generator: np.random.Generator) -> Estimate:
    """The mean of one figure per training seed and item, with a 95% percentile bootstrap interval.

    All seeds are judged on the same items, so seeds and items are both drawn anew, with replacement and independently
    of each other: the pigeonhole bootstrap (Owen, 2007). Drawing S seeds from S understates their variance by a factor
    of (S - 1) / S, which matters for three of them: their deviations are stretched by its root. With one seed the
    interval is that of this one training.

    Args:
        values: float ``[S, N]``.
        generator: of the resamples.
    """
    values = np.asarray(values, dtype=float)
    items = _shares_drawn(values.shape[1], generator)
    seeds = _shares_drawn(len(values), generator)
    if len(values) > 1:
        seeds = 1 / len(values) + (seeds - 1 / len(values)) * np.sqrt(len(values) / (len(values) - 1))
    means = (seeds * (items @ values.T)).sum(axis=1)
    low, high = np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Estimate(float(values.mean()), float(low), float(high))


def success_difference(successes: np.ndarray, reference: np.ndarray, generator: np.random.Generator) -> Estimate:
    """How much higher one success rate is than another, both from the same seeds and episodes.

    The interval is that of `mean_over_seeds_and_items` over the paired differences and two made-up episodes, one won
    by each side: without them, a few differences that all point one way would look certain (after Agresti and Min,
    2005). One seed needs six episodes won and none lost, as the exact McNemar test does.

    Args:
        successes, reference: bool or 0/1 ``[S, N]``; the same place is the same training seed and episode.
        generator: of the resamples.
    """
    differences = np.asarray(successes, dtype=float) - np.asarray(reference, dtype=float)
    made_up = np.tile([1.0, -1.0], (len(differences), 1))
    widened = mean_over_seeds_and_items(np.hstack([differences, made_up]), generator)
    return Estimate(float(differences.mean()), widened.low, widened.high)


def _shares_drawn(num: int, generator: np.random.Generator) -> np.ndarray:
    """float ``[R, num]``: how often each of ``num`` was drawn, as a share of the draws."""
    return generator.multinomial(num, np.full(num, 1 / num), size=NUM_RESAMPLES) / num


@dataclass(frozen=True)
class Measured:
    """A figure with its 95% interval.

    Attributes:
        value: as measured.
        low, high: bounds of the interval; None where there is none, as with a single item.
    """

    value: float
    low: float | None = None
    high: float | None = None

    def map(self, function: Callable[[float], float]) -> Measured:
        """The same after a function that never falls."""
        bounds = (None if bound is None else function(bound) for bound in (self.low, self.high))
        return Measured(function(self.value), *bounds)

    def words(self, form: Callable[[float], str] = "{:.3f}".format) -> str:
        """For people, e.g. ``0.213 [0.190, 0.241]``."""
        interval = "" if self.low is None or self.high is None else f" [{form(self.low)}, {form(self.high)}]"
        return form(self.value) + interval


class ItemSums:
    """Ratios of sums over items, with 95% percentile bootstrap intervals: items are drawn anew, with all that they hold.

    Args:
        num_items: N.
        generator: of the resamples.
    """

    def __init__(self, num_items: int, generator: np.random.Generator) -> None:
        self._shares = _shares_drawn(num_items, generator) if num_items > 1 else np.empty((0, num_items))

    def ratio(self, sums: np.ndarray, counts: np.ndarray) -> Measured:
        """The sum of ``sums`` over that of ``counts``, float64 ``[N]`` each; the counts must not all be 0."""
        value = float(sums.sum() / counts.sum())
        drawn = self._shares @ counts
        ratios = (self._shares @ sums)[drawn > 0] / drawn[drawn > 0]
        if (counts > 0).sum() < 2:
            return Measured(value)
        low, high = np.quantile(ratios, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
        return Measured(value, float(low), float(high))

    def share(self, sums: np.ndarray, counts: np.ndarray) -> Measured:
        """`ratio` of a number of successes; its interval is never narrower than Wilson's, so it has a width where all items
        succeed."""
        found = self.ratio(sums, counts)
        low, high = Proportion(round(float(sums.sum())), round(float(counts.sum()))).interval
        return Measured(found.value, min(low, low if found.low is None else found.low), max(high, found.high or high))
