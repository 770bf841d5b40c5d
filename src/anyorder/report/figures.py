"""Plots as SVG inside a page: drawn by matplotlib, colored by the page, so that light and dark are the reader's choice."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from html import escape
from io import StringIO
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from anyorder.evaluation.calibration import Calibration
from anyorder.evaluation.likelihood import GroupScore, Scores
from anyorder.evaluation.robustness import FORMS, RobustnessScore
from anyorder.evaluation.statistics import Proportion
from anyorder.pictures.loss_axis import scale_losses
from anyorder.pictures.names import in_plot
from anyorder.pictures.reliability_plot import IDEAL, MODEL, reliability_figure

SERIES = ("#00a001", "#00a002", "#00a003", "#00a004", "#00a005", "#00a006")
INK, LINE = "#00b001", "#00b002"
THEME = {color: f"var(--series-{number})" for number, color in enumerate(SERIES, start=1)}
THEME |= {INK: "currentColor", LINE: "var(--line)", MODEL: "var(--series-1)", to_hex(IDEAL): "var(--faint)"}
"""Color in a drawing -> what the page puts in its place: colors that nothing else has, and those of the reliability diagram."""
PAGE_FONTS: dict[Any, Any] = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": LINE,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": LINE,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1.8,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.linewidth": 0.8,
}
SIZE = 4.3, 2.9
CURVE_TITLES = {
    "loss": "Loss, nats",
    "action_accuracy": "Actions right on validation, %",
    "observation_accuracy": "Observations right on validation, %",
    "object_accuracy": "Objects right on validation, %",
    "mission_accuracy": "Words of missions right on validation, %",
    "observation_nats": "Hidden observations on validation, nats",
}
ELEMENT_GROUPS = {
    "cell": "cells",
    "object_cell": "object cells",
    "changed_cell": "changed cells",
    "direction": "directions",
    "action": "actions",
}


def figure_html(draw: Callable[[], Figure], caption: str) -> str:
    """A figure element with the drawing in it; the same drawing always makes the same text.

    Args:
        draw: makes the drawing; it is called with the page's fonts and colors in force.
        caption: plain text; no other drawing on the page may have the same.
    """
    # The caption makes the ids of this drawing's parts differ from those of every other on the page.
    with rc_context({**PAGE_FONTS, "svg.hashsalt": caption}):
        file = StringIO()
        draw().savefig(file, format="svg", metadata={"Date": None})
    svg = themed(file.getvalue(), caption)
    return f'<figure class="plot"><figcaption>{escape(caption)}</figcaption>{svg}</figure>'


def themed(svg: str, caption: str) -> str:
    """matplotlib's SVG as part of a page: in its colors, as wide as there is room, without what only a file needs."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    head, rest = svg.split(">", 1)
    head = re.sub(r' (width|height|version|xmlns(:xlink)?)="[^"]*"', "", head)
    svg = f'{head} role="img" aria-label="{escape(caption)}">{rest}'
    svg = re.sub(r' id="[A-Za-z0-9.]+_[0-9]+"', "", svg)  # the same in every drawing; nothing refers to them
    svg = re.sub(r"font-family: [^;\"]*", "font-family: var(--sans)", svg)
    for color, name in THEME.items():
        svg = svg.replace(color, name)
    return svg.strip()


def curve_figures(runs: Mapping[str, Sequence[Mapping[str, Any]]], salt: str = "") -> list[str]:
    """One figure per curve that any run has: for one run, training and validation; for several runs, validation only.

    Args:
        runs: name -> records of ``metrics.jsonl``.
        salt: end of each caption; it must differ between calls for the same page.
    """
    figures = []
    for key, title in CURVE_TITLES.items():
        if any(key in record for records in runs.values() for record in records):
            figures.append(figure_html(partial(_curves, runs, key), f"{title}{salt}"))
    return figures


def _curves(runs: Mapping[str, Sequence[Mapping[str, Any]]], key: str) -> Figure:
    figure, axes = new_figure()
    scale = 100 if key.endswith("accuracy") else 1
    lines = [(name, section, records) for name, records in runs.items() for section in ("train", "validation")]
    for number, (name, section, records) in enumerate(lines):
        points = [(r["update"], scale * r[key]) for r in records if r["section"] == section and key in r]
        if not points or (len(runs) > 1 and section == "train"):
            continue
        color = SERIES[(number // 2 if len(runs) > 1 else number) % len(SERIES)]
        label = in_plot(name) if len(runs) > 1 else section
        axes.plot(*zip(*points), "-" if section == "train" else "o-", color=color, markersize=4, label=label)
    axes.set_xlabel("update")
    if key == "loss":
        scale_losses(axes)
    if key == "loss" or len(runs) > 1:
        axes.legend()
    return figure


def accuracy_figures(modes: Mapping[str, Scores], salt: str) -> list[str]:
    """One figure per mode: the model with its 95% interval, beside both baselines on the same questions."""
    return [
        figure_html(partial(_accuracies, groups), f"Right, %: {_words(name)}{salt}")
        for name, scores in modes.items()
        if (groups := {words: scores.groups[key] for key, words in ELEMENT_GROUPS.items() if key in scores.groups})
        and len(groups) > 1
    ]


def _accuracies(groups: Mapping[str, GroupScore]) -> Figure:
    figure, axes = new_figure(height=1.05 + 0.42 * len(groups))
    places = range(len(groups))
    columns = (("copy of last visible", "copy_last", "D", SERIES[2]), ("most frequent value", "most_frequent", "s", SERIES[1]))
    for label, name, marker, color in columns:
        rates = [100 * getattr(group, name).rate for group in groups.values()]
        axes.plot(rates, places, marker, color=color, markersize=5, label=label, markerfacecolor="none")
    if known := [(100 * group.knowable.rate, place) for place, group in enumerate(groups.values()) if group.knowable]:
        axes.plot(*zip(*known), "|", color=INK, markersize=12, label="knowable")
    model = [group.accuracy for group in groups.values()]
    axes.errorbar(
        [100 * share.rate for share in model],
        places,
        xerr=_error_bars(model),
        fmt="o",
        color=SERIES[0],
        markersize=6,
        label="model, 95%",
    )
    axes.set(yticks=list(places), yticklabels=list(groups), xlim=(-3, 103), ylim=(len(groups) - 0.5, -0.5))
    axes.grid(False, axis="x")
    legend_above(figure, axes, 2 if known else 3)
    return figure


def robustness_figures(scores: Sequence[RobustnessScore], salt: str) -> list[str]:
    """One figure per kind of corruption: success against its strength, one line per form."""
    kinds = dict.fromkeys(score.kind for score in scores)
    return [
        figure_html(
            partial(_robustness, [score for score in scores if score.kind == kind]),
            f"Success, %: {_words(kind)}{salt}",
        )
        for kind in kinds
    ]


def _robustness(scores: Sequence[RobustnessScore]) -> Figure:
    figure, axes = new_figure()
    for color, form in zip(SERIES, dict.fromkeys(score.form for score in scores)):
        arm = sorted((score for score in scores if score.form == form), key=lambda score: score.strength)
        shares = [arm[0].clean, *(score.corrupted for score in arm)]
        strengths = [0.0, *(score.strength for score in arm)]
        axes.errorbar(
            strengths,
            [100 * share.rate for share in shares],
            yerr=_error_bars(shares),
            fmt="o-",
            color=color,
            markersize=4,
            capsize=2,
            elinewidth=1,
            label=FORMS[form].words,
        )
    axes.set(xlabel="strength", ylim=(-3, 103))
    legend_above(figure, axes, 1)
    return figure


def reliability_figures(calibrations: Mapping[str, Calibration], salt: str) -> list[str]:
    """One reliability diagram per mode, the same drawing as ``reliability.svg``."""
    return [
        figure_html(partial(_untitled_reliability, {name: found}), f"Calibration: {_words(name)}{salt}")
        for name, found in calibrations.items()
    ]


def _untitled_reliability(calibrations: Mapping[str, Calibration]) -> Figure:
    figure = reliability_figure(calibrations)
    for axes in figure.axes:
        axes.set_title("", loc="center")
        axes.set_title("", loc="left")
    return figure


def _words(name: str) -> str:
    return name.replace("_", " ")


def new_figure(height: float = SIZE[1]) -> tuple[Figure, Axes]:
    """An empty drawing, as wide as all."""
    figure = Figure(figsize=(SIZE[0], height), layout="constrained")
    return figure, figure.add_subplot()


def _error_bars(shares: Sequence[Proportion]) -> list[list[float]]:
    """How far each interval reaches down and up, in points."""
    return [[100 * abs(share.interval[end] - share.rate) for share in shares] for end in (0, 1)]


def legend_above(figure: Figure, axes: Axes, columns: int) -> None:
    """Put the legend over the drawing."""
    figure.legend(
        *axes.get_legend_handles_labels(),
        loc="outside upper left",
        ncols=columns,
        fontsize=8,
        handletextpad=0.3,
        columnspacing=1.0,
        borderpad=0,
    )
