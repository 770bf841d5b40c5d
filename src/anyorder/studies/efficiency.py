"""Sample efficiency: how many demonstrations a wanted success rate takes, with a 95% credible interval.

The curve. With N demonstrations episodes fail at the rate ``floor + (1 - floor) / (1 + (N / middle) ** exponent)``: a
logistic curve of log N, which ends as the power law with an irreducible rest that learning curves are known for.
The noise. Runs of one recipe differ, so a run's own failure rate has a beta distribution around the curve, with
intra-run correlation ``spread``, and successes are beta-binomial. Where the curve does not fit, that counts as noise too.
The prior. Flat in log middle, log exponent, log floor and log spread, each within the bounds of `_prior`. The
posterior is computed on a grid; a finer grid then covers only the part where the posterior lies. Nothing is random.

BabyAI (Chevalier-Boisvert et al., 2019) estimates the same number with a Gaussian process over log2 N and each run's best
validation success, and needs five runs on either side of the threshold; this method needs neither a best epoch nor so many
runs.

Legend: P points of the grid, K values of ``spread``, X places on the curve.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.special import expit, logit
from scipy.stats import betabinom

from anyorder.evaluation.statistics import CONFIDENCE

GRID = {"middle": 48, "exponent": 32, "floor": 24, "spread": 8}
"""Parameter -> points on its axis."""
NUM_PASSES = 4
NEGLIGIBLE = 1e-5
"""Share of the posterior, or of its peak, that is left out."""
KNOTS = np.linspace(logit(1e-7), logit(1 - 1e-6), 300)
"""Logits of success rates at which the likelihood is computed; it is interpolated between them."""
NUM_CURVE_POINTS = 50


@dataclass(frozen=True)
class Measurement:
    """One training run.

    Attributes:
        num_demonstrations: how many it learned from, at least 1.
        successes: how many episodes it solved, 0..episodes.
        episodes: how many it was judged on, at least 1.

    Raises:
        ValueError: for numbers outside these bounds.
    """

    num_demonstrations: int
    successes: int
    episodes: int

    def __post_init__(self) -> None:
        if self.num_demonstrations < 1 or self.episodes < 1 or not 0 <= self.successes <= self.episodes:
            raise ValueError(
                "a measurement must have num_demonstrations >= 1, episodes >= 1 and 0 <= successes <= episodes; found"
                f" {self.num_demonstrations}, {self.episodes} and {self.successes}"
            )


@dataclass(frozen=True)
class CurvePoint:
    """The success rate, averaged over runs, at one number of demonstrations: posterior median and 95% band."""

    num_demonstrations: float
    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Needed:
    """The number of demonstrations that the wanted success rate takes, averaged over runs.

    Attributes:
        rate: the success rate that is wanted.
        median, low, high: posterior median of the number and its 95% credible interval; infinite where the curve may end
            below ``rate``. Outside of the measured sizes they rest on the shape of the curve and on the prior.
        smallest, largest: the smallest and the largest measured number of demonstrations.
        curve: points for plotting, over the measured sizes.
    """

    rate: float
    median: float
    low: float
    high: float
    smallest: int
    largest: int
    curve: tuple[CurvePoint, ...]

    @property
    def beyond(self) -> bool:
        """True if more demonstrations than were measured are needed, more likely than not."""
        return self.median > self.largest

    def to_json(self) -> dict[str, Any]:
        """Plain numbers, None for an infinite one, and ``text``."""
        numbers = {name: float(getattr(self, name)) for name in ("median", "low", "high")}
        return {
            "rate": self.rate,
            **{name: number if np.isfinite(number) else None for name, number in numbers.items()},
            "beyond": self.beyond,
            "text": str(self),
        }

    def __str__(self) -> str:
        """``3,400 [2,100, 6,800]``; a number outside of the measured sizes is only said to lie outside."""
        median, low, high = map(self._number_text, (self.median, self.low, self.high))
        return median if low == high else f"{median} [{low}, {high}]"

    def _number_text(self, number: float) -> str:
        if number > self.largest:
            return f"more than {self.largest:,}"
        return f"{float(f'{number:.3g}'):,.0f}" if number >= self.smallest else f"fewer than {self.smallest:,}"


def demonstrations_needed(measurements: Sequence[Measurement], rate: float = 0.99) -> Needed:
    """How many demonstrations a success rate takes.

    Args:
        measurements: runs of one recipe at two or more sizes, several of one size where there are several seeds.
        rate: the success rate that is wanted, above 0 and below 1.

    Raises:
        ValueError: for a rate outside these bounds, or fewer than two sizes.
    """
    if not 0 < rate < 1:
        raise ValueError(f"a wanted success rate must lie between 0 and 1; found {rate}")
    sizes = sorted({measurement.num_demonstrations for measurement in measurements})
    if len(sizes) < 2:
        raise ValueError(
            f"success must be known at two or more numbers of demonstrations to fit a curve; found {len(sizes)}; measure more"
        )
    curves, weights = _posterior(measurements)
    median, (low, high) = _quantiles(_crossing(curves, rate), weights)
    places = np.linspace(np.log(sizes[0]), np.log(sizes[-1]), NUM_CURVE_POINTS)
    bands = [_quantiles(expit(_success(curves, place)), weights) for place in places]
    curve = tuple(CurvePoint(float(np.exp(x)), mid, *ends) for x, (mid, ends) in zip(places, bands))
    return Needed(rate, median, low, high, sizes[0], sizes[-1], curve)


@dataclass(frozen=True)
class _Curves:
    """Many curves; all float ``[P]``, in natural logarithms."""

    middle: NDArray
    exponent: NDArray
    floor: NDArray


def _success(curves: _Curves, place: float) -> NDArray:
    """Logit ``[P]`` of the success rate at a log number of demonstrations."""
    climb = np.exp(curves.exponent) * (place - curves.middle)
    floor = np.exp(curves.floor)
    failure = floor + (1 - floor) * expit(-climb)
    return np.log1p(-floor) - np.logaddexp(0, -climb) - np.log(failure)


def _crossing(curves: _Curves, rate: float) -> NDArray:
    """The number of demonstrations ``[P]`` at which the success rate is reached; infinite if it never is."""
    share = rate / (1 - np.exp(curves.floor))  # of the highest rate that a curve reaches
    ever = share < 1
    climb = logit(np.where(ever, share, 0.5))
    return np.where(ever, np.exp(curves.middle + climb / np.exp(curves.exponent)), np.inf)


def _prior(measurements: Sequence[Measurement]) -> dict[str, tuple[float, float]]:
    """Bounds of each parameter's natural logarithm: the middle lies within a factor of 256 of the measured sizes, the
    failure rate falls with the power 0.2 to 8 of N, a rest of 0.01% to 30% stays, and runs have a correlation of 0.0001
    (a standard deviation of 0.1 points at 99% success) to 0.1 (3 points)."""
    sizes = [measurement.num_demonstrations for measurement in measurements]
    bounds = {
        "middle": (min(sizes) / 256, max(sizes) * 256),
        "exponent": (0.2, 8),
        "floor": (1e-4, 0.3),
        "spread": (1e-4, 0.1),
    }
    return {name: (float(np.log(low)), float(np.log(high))) for name, (low, high) in bounds.items()}


def _posterior(measurements: Sequence[Measurement]) -> tuple[_Curves, NDArray]:
    """Curves and their weights ``[P]``, which sum to 1; those that weigh nothing are left out."""
    bounds = _prior(measurements)
    for _ in range(NUM_PASSES):
        axes = {name: np.linspace(*bounds[name], num) for name, num in GRID.items()}
        log_likelihood = _log_likelihood(measurements, axes)
        weights = np.exp(log_likelihood - log_likelihood.max())
        weights /= weights.sum()
        bounds = {name: _inner(axis, weights, number) for number, (name, axis) in enumerate(axes.items())}
    by_curve = weights.sum(axis=-1)
    kept = by_curve > NEGLIGIBLE * by_curve.max()
    curves = _Curves(*(values[kept] for values in np.meshgrid(*list(axes.values())[:3], indexing="ij")))
    return curves, by_curve[kept] / by_curve[kept].sum()


def _inner(axis: NDArray, weights: NDArray, number: int) -> tuple[float, float]:
    """The part of axis ``number`` that holds the posterior, and one step to either side."""
    marginal = weights.sum(axis=tuple(other for other in range(weights.ndim) if other != number))
    held = np.flatnonzero(marginal > NEGLIGIBLE)
    return float(axis[max(held[0] - 1, 0)]), float(axis[min(held[-1] + 1, len(axis) - 1)])


def _log_likelihood(measurements: Sequence[Measurement], axes: dict[str, NDArray]) -> NDArray:
    """The log-likelihood of each point of the grid, in the order of the axes. It depends on a curve only through the success
    rate at each size, so it is computed at `KNOTS` and interpolated."""
    middle, exponent, floor, spread = axes.values()
    curves = _Curves(*(values.ravel() for values in np.meshgrid(middle, exponent, floor, indexing="ij")))
    pseudo_count = 1 / np.exp(spread) - 1
    wins, losses = expit(KNOTS)[:, None] * pseudo_count, expit(-KNOTS)[:, None] * pseudo_count
    total = np.zeros((len(curves.middle), len(spread)))
    for size in {measurement.num_demonstrations for measurement in measurements}:
        runs = [measurement for measurement in measurements if measurement.num_demonstrations == size]
        table = sum(betabinom.logpmf(run.successes, run.episodes, wins, losses) for run in runs)
        total += CubicSpline(KNOTS, table)(_success(curves, np.log(size)).clip(KNOTS[0], KNOTS[-1]))
    return total.reshape([len(axis) for axis in axes.values()])


def _quantiles(values: NDArray, weights: NDArray) -> tuple[float, tuple[float, float]]:
    """The median, and the bounds of the central 95%, of weighted values."""
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    places = np.searchsorted(reached, [(1 - CONFIDENCE) / 2, 0.5, (1 + CONFIDENCE) / 2])
    low, median, high = values[order][places.clip(max=len(values) - 1)]
    return float(median), (float(low), float(high))
