"""How well hidden values of any spec are rebuilt, over the targets alone, beside baselines that are asked the same.

Every figure is a ratio of sums; both are added up by episode, so that intervals can take episodes as what is independent.

Legend: N episodes, C columns.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from anyorder.evaluation.calibration import Calibration
from anyorder.evaluation.statistics import ItemSums, Measured

GUESSERS = ("model", "marginal", "copy", "line")
"""Who answers: the model; the values' shares in the training split; a copy of the visible value that is nearest in time; a line
through visible numbers. Categories have no line."""
LEVELS = tuple(round(0.05 * level, 2) for level in range(1, 20))
"""Levels of the quantiles whose calibration is measured."""
FIELD_COLUMNS = (
    *("categories", "numbers"),
    *(f"{guesser} {what}" for what in ("right", "loss", "nats", "square", "absolute", "near") for guesser in GUESSERS),
    *(f"below {level}" for level in LEVELS),
)
"""The figures of each question that are added up: ``right`` and ``loss`` of categories, the others of numbers."""


@dataclass(frozen=True)
class CategoryScore:
    """The score of questions about categories.

    Attributes:
        count: number of questions.
        accuracy: `GUESSERS` -> share of right answers; ``marginal`` answers with the most frequent value.
        nats: `GUESSERS` -> mean negative log-likelihood of the true values.
    """

    count: int
    accuracy: dict[str, Measured]
    nats: dict[str, Measured]


@dataclass(frozen=True)
class NumberScore:
    """The score of questions about real numbers.

    Attributes:
        count: number of questions.
        nats: `GUESSERS` -> mean negative log of the density of the true number, per standard deviation: 1.42 for who knows
            no more than that it is normally distributed, smaller (also below 0) for who knows more.
        root_mean_square: `GUESSERS` -> error of the mean, in standard deviations of the training split.
        absolute: `GUESSERS` -> mean absolute error of the median, in standard deviations.
        coverage_50, coverage_90: how often the model's central 50% and 90% intervals hold the truth.
        quantile_error: mean over `LEVELS` of how far the share of truths below the model's quantile is from its level.
        below: these shares, by level.
        near: `GUESSERS` -> share of the medians that are near the truth (`anyorder.inference.bin_answers.NEAR_TRUTH`); empty in
            older results.
    """

    count: int
    nats: dict[str, Measured]
    root_mean_square: dict[str, Measured]
    absolute: dict[str, Measured]
    coverage_50: Measured
    coverage_90: Measured
    quantile_error: float
    below: list[float]
    near: dict[str, Measured] = field(default_factory=dict)


@dataclass(frozen=True)
class FieldScore:
    """The score of a field, or of several; either part is None where there is no such question."""

    categories: CategoryScore | None
    numbers: NumberScore | None

    @classmethod
    def of(cls, sums: np.ndarray, items: ItemSums) -> FieldScore:
        """From float64 ``[N, C]``, sums over the questions of each episode, of the `FIELD_COLUMNS`."""
        total = dict(zip(FIELD_COLUMNS, sums.T))
        categories, numbers = total["categories"], total["numbers"]
        return cls(
            _category_score(total, categories, items) if categories.any() else None,
            _number_score(total, numbers, items) if numbers.any() else None,
        )

    @property
    def count(self) -> int:
        """Number of questions."""
        return sum(part.count for part in (self.categories, self.numbers) if part)


@dataclass(frozen=True)
class FieldScores:
    """The scores of a split in one mode. Names are those of fields, of groups of several fields, and ``all observations``,
    ``all actions``; what has no questions is left out.

    Attributes:
        num_episodes: number of episodes in the split.
        hidden_fraction: share of the observation and action elements that were in fact asked for.
        fields: all questions, by name.
        changed: those whose value is not that of the step before.
        calibration: of the answers to questions about categories; None where there are none.
        parts: those names that are part of another one.
    """

    num_episodes: int
    hidden_fraction: float
    fields: dict[str, FieldScore]
    changed: dict[str, FieldScore]
    calibration: Calibration | None
    parts: list[str]


def _category_score(total: Mapping[str, np.ndarray], count: np.ndarray, items: ItemSums) -> CategoryScore:
    guessers = [guesser for guesser in GUESSERS if guesser != "line"]
    return CategoryScore(
        int(count.sum()),
        {guesser: items.share(total[f"{guesser} right"], count) for guesser in guessers},
        {guesser: items.ratio(total[f"{guesser} loss"], count) for guesser in guessers},
    )


def _number_score(total: Mapping[str, np.ndarray], count: np.ndarray, items: ItemSums) -> NumberScore:
    def means(what: str) -> dict[str, Measured]:
        return {guesser: items.ratio(total[f"{guesser} {what}"], count) for guesser in GUESSERS}

    def between(low: float, high: float) -> Measured:
        return items.ratio(total[f"below {high}"] - total[f"below {low}"], count)

    below = [float(total[f"below {level}"].sum() / count.sum()) for level in LEVELS]
    return NumberScore(
        int(count.sum()),
        means("nats"),
        {guesser: square.map(math.sqrt) for guesser, square in means("square").items()},
        means("absolute"),
        between(0.25, 0.75),
        between(0.05, 0.95),
        float(np.abs(np.array(below) - LEVELS).mean()),
        below,
        {guesser: items.share(total[f"{guesser} near"], count) for guesser in GUESSERS},
    )
