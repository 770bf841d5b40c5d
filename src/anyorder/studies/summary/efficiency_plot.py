"""Success against demonstrations: what was measured, and the curves that were fitted to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import Any

from matplotlib import color_sequences, rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.typing import ColorType

from anyorder.files import replacing
from anyorder.pictures.names import in_plot

PLOT_NAME = "demonstrations"
COLUMNS, PANEL_INCHES = 2, (4.2, 3.2)
LEVEL_COLORS = color_sequences["tab10"]
EFFICIENCY_FONTS: dict[Any, Any] = {"font.size": 8, "axes.titlesize": 9, "svg.hashsalt": PLOT_NAME, "svg.fonttype": "none"}


def write_efficiency_plot(folder: Path, entries: Sequence[Mapping[str, Any]]) -> tuple[Path, Path]:
    """Write a PNG and an SVG into ``folder`` and return their paths.

    Args:
        folder: made if there is none.
        entries: ``efficiency`` of a study's results, see `anyorder.studies.results.results`; at least one.
    """
    png, svg = folder / f"{PLOT_NAME}.png", folder / f"{PLOT_NAME}.svg"
    with rc_context(EFFICIENCY_FONTS):
        figure = efficiency_figure(entries)
        with replacing(png) as temporary:
            figure.savefig(temporary, format="png", dpi=200)
        with replacing(svg) as temporary:
            figure.savefig(temporary, format="svg", metadata={"Date": None})
    return png, svg


def efficiency_figure(entries: Sequence[Mapping[str, Any]]) -> Figure:
    """One panel per level, one color per arm: a point per run, the median curve and its 95% band."""
    levels, arms = (list(dict.fromkeys(entry[key] for entry in entries)) for key in ("level", "arm"))
    rows, columns = ceil(len(levels) / COLUMNS), min(len(levels), COLUMNS)
    figure = Figure(figsize=(columns * PANEL_INCHES[0], rows * PANEL_INCHES[1]), layout="constrained")
    for number, level in enumerate(levels):
        axes = figure.add_subplot(rows, columns, number + 1)
        for entry in entries:
            if entry["level"] == level:
                _draw(axes, entry, LEVEL_COLORS[arms.index(entry["arm"]) % len(LEVEL_COLORS)])
        axes.axhline(entries[0]["needed"]["rate"], color="0.45", linestyle="--", linewidth=1)
        axes.set(title=in_plot(level), xscale="log", xlabel="demonstrations", ylabel="success rate", ylim=(-0.02, 1.02))
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    return figure


def _draw(axes: Axes, entry: Mapping[str, Any], color: ColorType) -> None:
    measured, curve = entry["measurements"], entry["curve"]
    rates = [run["successes"] / run["episodes"] for run in measured]
    axes.plot([run["num_demonstrations"] for run in measured], rates, "o", color=color, markersize=3, alpha=0.7)
    places = [point["num_demonstrations"] for point in curve]
    low, median, high = ([point[name] for point in curve] for name in ("low", "median", "high"))
    axes.plot(places, median, color=color, linewidth=1.2, label=f"{in_plot(entry['arm'])}: {entry['needed']['text']}")
    axes.fill_between(places, low, high, color=color, alpha=0.2, linewidth=0)
