"""A logarithmic axis of losses, whose labels neither run into one another nor leave it bare."""

from __future__ import annotations

import math

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

FEWEST_TICKS, MOST_TICKS = 3, 8
STEPS = ((1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,))
"""What may be labelled of each power of ten, the densest first."""


def scale_losses(axes: Axes) -> None:
    """Make the vertical axis logarithmic and label it. Call it once everything is drawn."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(FixedLocator(loss_ticks(*axes.get_ylim())))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter("{x:g}")


def loss_ticks(low: float, high: float) -> list[float]:
    """Round numbers between two losses, 0 < low < high: as many as `STEPS` has for at most `MOST_TICKS`, and evenly spaced
    ones where the range is narrow."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in STEPS:
        found = [step * 10.0**power for power in powers for step in steps if low <= step * 10.0**power <= high]
        if len(found) < FEWEST_TICKS:
            evenly = (float(f"{tick:.9g}") for tick in MaxNLocator(6, steps=[1, 2, 5, 10]).tick_values(low, high))
            return [tick for tick in evenly if low <= tick <= high]
        if len(found) <= MOST_TICKS:
            return found
    return found[:: math.ceil(len(found) / MOST_TICKS)]
