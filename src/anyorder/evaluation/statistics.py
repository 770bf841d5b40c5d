"""Shares of a count, always with their uncertainty."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from scipy.stats import binomtest

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Proportion:
    """So many successes of a count, with the 95% Wilson interval of the underlying rate.

    The interval takes the trials as independent. Episodes from different seeds are; the elements of one trajectory
    are not, so there it is a lower bound of the uncertainty.

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
                "a proportion needs 0 <= successes <= count and count >= 1,"
                f" found {self.successes} of {self.count}"
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
