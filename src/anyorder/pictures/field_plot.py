"""Series of fields as a drawing: a panel for each, time from left to right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from anyorder.elements.spec import Bins, Categories
from anyorder.pictures.field_series import FieldSeries
from anyorder.pictures.names import in_plot

PANEL_SIZE = 7.2, 0.95
MOST_NAMES = 6
"""Categories whose names stand at the axis."""


@dataclass(frozen=True)
class SeriesColors:
    """Colors of the drawing, as matplotlib knows them: of what was true, of the model's answers, of wrong categories, and of
    the ground where a value was hidden."""

    truth: str = "0.25"
    model: str = "#1f4e79"
    wrong: str = "#b3541e"
    hidden: str = "0.88"


def series_figure(series: Sequence[FieldSeries], colors: SeriesColors = SeriesColors(), first_step: int = 0) -> Figure:
    """The drawing.

    Args:
        series: at least one, all of one trajectory.
        colors: of it.
        first_step: the environment's time of the first frame.
    """
    width, height = PANEL_SIZE
    figure = Figure(figsize=(width, 0.7 + height * len(series)), layout="constrained")
    panels = figure.subplots(len(series), 1, sharex=True, squeeze=False)[:, 0]
    for axes, one in zip(panels, series):
        steps = first_step + np.arange(len(one.truth))
        for first, last in _runs(one.hidden):
            axes.axvspan(first_step + first - 0.5, first_step + last + 0.5, color=colors.hidden, linewidth=0, zorder=0)
        (_draw_numbers if isinstance(one.values, Bins) else _draw_categories)(axes, one, steps, colors)
        axes.set_title(in_plot(one.name), loc="left", fontsize=9, pad=2)
        axes.margins(x=0.01)
        axes.grid(False)
    panels[-1].set_xlabel("step")
    panels[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def _runs(hidden: np.ndarray) -> list[tuple[int, int]]:
    """First and last place of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], hidden, [False]]).astype(int)))
    return [(int(first), int(after) - 1) for first, after in zip(edges[::2], edges[1::2])]


def _draw_numbers(axes: Axes, one: FieldSeries, steps: np.ndarray, colors: SeriesColors) -> None:
    if one.unseen.any():
        axes.plot(steps, one.truth, ":", color=colors.truth, linewidth=1.0, zorder=2)
    axes.plot(steps, np.where(one.unseen, np.nan, one.truth), "-", color=colors.truth, linewidth=1.2, zorder=2)
    at = one.hidden & ~np.isnan(one.answer)
    axes.vlines(steps[at], one.low[at], one.high[at], color=colors.model, linewidth=2.2, alpha=0.45, zorder=3)
    axes.plot(steps[at], one.answer[at], "o", color=colors.model, markersize=3.2, zorder=4)
    axes.yaxis.set_major_locator(MaxNLocator(3))


def _draw_categories(axes: Axes, one: FieldSeries, steps: np.ndarray, colors: SeriesColors) -> None:
    for at, strength in ((one.unseen, 0.35), (~one.unseen, 1.0)):
        axes.plot(
            steps[at], one.truth[at], "_", color=colors.truth, alpha=strength, markersize=5, markeredgewidth=1.6, zorder=2
        )
    at = one.hidden & ~np.isnan(one.answer)
    right = at & (one.answer == one.truth)
    wrong = at & ~right
    axes.plot(steps[right], one.answer[right], "o", color=colors.model, markersize=3.6, zorder=3)
    axes.plot(steps[wrong], one.answer[wrong], "x", color=colors.wrong, markersize=4.5, markeredgewidth=1.6, zorder=3)
    assert isinstance(one.values, Categories)
    if len(one.values) <= MOST_NAMES:
        axes.set(yticks=range(len(one.values)), ylim=(-0.6, len(one.values) - 0.4))
        axes.set_yticklabels([in_plot(name)[:14] for name in one.values.names])
