"""How much better the same questions are answered from more context, as a plot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

from anyorder.evaluation.more_shown import ShownScore
from anyorder.pictures.plots import write_plot

LINE = "#1f4e79"
SHOWN_FONTS: dict[Any, Any] = {"font.size": 8, "axes.titlesize": 9, "svg.hashsalt": "more shown", "svg.fonttype": "none"}


def write_more_shown(folder: Path, scores: Sequence[ShownScore]) -> None:
    """Write ``more_shown.png`` and ``more_shown.svg``."""
    with rc_context(SHOWN_FONTS):
        write_plot(more_shown_figure(scores), folder, "more_shown")


def more_shown_figure(scores: Sequence[ShownScore]) -> Figure:
    """Nats of the same questions, with 95% intervals over trajectories, by the share of all else that is shown."""
    figure = Figure(figsize=(4.2, 3.0), layout="constrained")
    axes = figure.add_subplot()
    shown, nats = [score.shown for score in scores], [score.nats.value for score in scores]
    bounds = [[abs(n - (n if bound is None else bound)) for n, bound in zip(nats, side)] for side in _sides(scores)]
    axes.errorbar(shown, nats, bounds, fmt="o-", color=LINE, markersize=4, linewidth=1.2, capsize=2)
    axes.set(xlabel="share of the other cells that is shown", ylabel="nats per hidden element", xlim=(-0.03, 1.03))
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    return figure


def _sides(scores: Sequence[ShownScore]) -> tuple[list[float | None], list[float | None]]:
    return [score.nats.low for score in scores], [score.nats.high for score in scores]
