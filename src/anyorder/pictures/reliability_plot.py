"""Reliability diagrams: how often a model is right, by how sure it is (Guo et al., 2017, figure 4)."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from anyorder.evaluation.calibration import Calibration
from anyorder.evaluation.statistics import Proportion
from anyorder.pictures.plots import write_plot

COLUMNS, PANEL_INCHES = 2, (3.3, 3.1)
MODEL, IDEAL = "#1f4e79", "0.45"
RELIABILITY_FONTS: dict[Any, Any] = {"font.size": 8, "axes.titlesize": 9, "svg.hashsalt": "reliability", "svg.fonttype": "none"}


def write_reliability(folder: Path, calibrations: Mapping[str, Calibration]) -> None:
    """Write ``reliability.png`` and ``reliability.svg``: one panel per mode."""
    with rc_context(RELIABILITY_FONTS):
        write_plot(reliability_figure(calibrations), folder, "reliability")


def reliability_figure(calibrations: Mapping[str, Calibration]) -> Figure:
    """One panel per mode: the accuracy of each bin, with its 95% Wilson interval, over its mean confidence; below it
    how many predictions it has."""
    rows = ceil(len(calibrations) / COLUMNS)
    columns = min(len(calibrations), COLUMNS)
    size = columns * PANEL_INCHES[0], rows * PANEL_INCHES[1]
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.add_gridspec(2 * rows, columns, height_ratios=[2.5, 1] * rows)
    most = max(entry.count for calibration in calibrations.values() for entry in calibration.bins)
    for number, (name, calibration) in enumerate(calibrations.items()):
        row, column = divmod(number, COLUMNS)
        upper = figure.add_subplot(grid[2 * row, column])
        _accuracy(upper, name, calibration)
        _counts(figure.add_subplot(grid[2 * row + 1, column], sharex=upper), calibration, most)
    return figure


def _accuracy(axes: Axes, name: str, calibration: Calibration) -> None:
    filled = [b for b in calibration.bins if b.count]
    confidence = [b.mean_confidence for b in filled if b.mean_confidence is not None]
    shares = [Proportion(round(b.accuracy * b.count), b.count) for b in filled if b.accuracy is not None]
    spread = [[abs(share.interval[end] - share.rate) for share in shares] for end in (0, 1)]
    axes.plot([0, 1], [0, 1], "--", color=IDEAL, linewidth=1, label="calibrated")
    accuracy = [share.rate for share in shares]
    axes.errorbar(confidence, accuracy, spread, fmt="o", color=MODEL, markersize=4, linewidth=1.2, label="model, 95%")
    axes.set(title=name.replace("_", " "), ylabel="accuracy", xlim=(0, 1.02), ylim=(0, 1.02))
    axes.text(0.97, 0.05, f"calibration error {calibration.expected_calibration_error:.2%}", ha="right")
    axes.tick_params(labelbottom=False)
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left", frameon=False)


def _counts(axes: Axes, calibration: Calibration, most: int) -> None:
    """Draw the counts; ``most`` is the same in all panels, so that bars of equal height mean the same."""
    low = [entry.low for entry in calibration.bins]
    counts = [entry.count for entry in calibration.bins]
    axes.bar(low, counts, width=0.9 * (calibration.bins[0].high - low[0]), align="edge", color=MODEL)
    axes.set(yscale="log", ylim=(0.5, 3 * most), xlabel="confidence", ylabel="elements")
    axes.yaxis.set_major_locator(LogLocator(numticks=5))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.grid(alpha=0.3, axis="y")
