"""The plots of an experiment, from the plain data of `anyorder.studies.plotted`: curves of training, hiding rate against
success, accuracy by attribute, robustness. Points are pooled over the seeds with 95% Wilson intervals; thin lines are single
seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from anyorder.pictures.loss_axis import scale_losses
from anyorder.studies.study import folder_name
from anyorder.studies.summary.print_style import bar, legend_below, line, panels, printed, write_both

STUDY_CURVES = {"training loss": "loss (nats)", "validation loss": "loss (nats)", "success": "task success"}
"""Where a loss is labelled, in each decade."""
DODGE = 0.006
"""Distance at which points of the same strength but of different arms are drawn, so that none hides another."""
BASELINE = "most frequent value"


def write_experiment_plots(folder: Path, experiment: Mapping[str, Any]) -> dict[str, Path]:
    """Write each plot that there is data for as PNG and SVG into a folder; return caption -> path of the PNG."""
    data, name = experiment["plotted"], folder_name(f"{experiment['title']} {experiment['where']}".strip()).lower()
    labels = [row["label"] for row in experiment["rows"]]
    drawn = {
        "Training: loss, and success on the seeds of the validation split": (curves_figure, "curves"),
        "Hiding rate against task success": (rates_figure, "rates"),
        "Accuracy of hidden attributes": (attributes_figure, "attributes"),
        "Robustness: task success by strength of the corruption": (robustness_figure, "robustness"),
    }
    with printed():
        return {
            caption: write_both(draw(labels, data[key]), folder, f"{name}_{key}")
            for caption, (draw, key) in drawn.items()
            if data[key]
        }


def curves_figure(labels: Sequence[str], curves: Sequence[Mapping[str, Any]]) -> Figure:
    """Loss and success over updates: a thin line for each seed, a thick one for their mean. Losses of arms that hide
    differently cannot be compared: they belong to different questions."""
    shown = [name for name in STUDY_CURVES if any(curve["curve"] == name for curve in curves)]
    figure, axes = panels(len(shown))
    for panel, name in zip(axes, shown):
        for number, label in enumerate(labels):
            own = [c for c in curves if c["label"] == label and c["curve"] == name]
            _draw_seeds(panel, own, number, label if panel is axes[0] else None)
        panel.set(title=name, xlabel="update", ylabel=STUDY_CURVES[name])
        if name == "success":
            panel.set_ylim(-0.02, 1.02)
        else:
            scale_losses(panel)
    legend_below(figure, labels)
    return figure


def _draw_seeds(panel: Axes, curves: Sequence[Mapping[str, Any]], number: int, label: str | None) -> None:
    if not curves:
        return
    style = line(number)
    if len(curves[0]["updates"]) > 20:  # a marker on each would hide the line
        style |= {"markevery": 0.15}
    for curve in curves if len(curves) > 1 else ():
        panel.plot(curve["updates"], curve["values"], color=style["color"], linewidth=0.5, alpha=0.45)
    shared = sorted(set.intersection(*(set(curve["updates"]) for curve in curves)))
    values = [dict(zip(curve["updates"], curve["values"])) for curve in curves]
    panel.plot(shared, [np.mean([seed[update] for seed in values]) for update in shared], label=label, **style)


def rates_figure(labels: Sequence[str], points: Sequence[Mapping[str, Any]]) -> Figure:
    """Success against the share that is hidden in training."""
    figure, (panel,) = panels(1)
    points = sorted(points, key=lambda point: point["rate"])
    places = [point["rate"] for point in points]
    _intervals(panel, places, [point["success"] for point in points], line(0), "pooled, 95%")
    for point in points:
        panel.plot(
            [point["rate"]] * len(point["by_seed"]),
            point["by_seed"],
            "x",
            color="black",
            markersize=4.5,
            zorder=4,
            label="a seed" if point is points[0] else None,
        )
    panel.set(xlabel="hiding rate in training", ylabel="task success", xticks=places)
    panel.margins(x=0.12)
    legend_below(figure, labels)
    return figure


def attributes_figure(labels: Sequence[str], entries: Sequence[Mapping[str, Any]]) -> Figure:
    """A bar per arm for each attribute; the line across a bar is what the most frequent value would reach."""
    figure, (panel,) = panels(1)
    figure.set_size_inches(6.8, 3.1)
    attributes = list(dict.fromkeys(name for entry in entries for name in entry["shares"]))
    width = 0.8 / len(entries)
    for number, entry in enumerate(entries):
        places = [place - 0.4 + (number + 0.5) * width for place in range(len(attributes))]
        shares = [entry["shares"][name]["accuracy"] for name in attributes]
        panel.bar(
            places,
            [share["rate"] for share in shares],
            width,
            label=entry["label"],
            linewidth=0.4,
            **bar(labels.index(entry["label"])),
        )
        panel.errorbar(
            places,
            [share["rate"] for share in shares],
            _spread(shares),
            fmt="none",
            ecolor="black",
            elinewidth=0.8,
            capsize=1.5,
        )
        base = [entry["shares"][name]["most_frequent"]["rate"] for name in attributes]
        panel.hlines(
            base,
            [place - width / 2 for place in places],
            [place + width / 2 for place in places],
            color="black",
            linewidth=1.6,
            label=BASELINE,
        )
    panel.set(xticks=range(len(attributes)), xticklabels=attributes, ylabel="accuracy when hidden", ylim=(0, 1.02))
    panel.grid(visible=False, axis="x")
    legend_below(figure, labels)
    return figure


def robustness_figure(labels: Sequence[str], points: Sequence[Mapping[str, Any]]) -> Figure:
    """One panel per kind of corruption and form."""
    places = list(dict.fromkeys((point["kind"], point["form"]) for point in points))
    figure, axes = panels(min(2, len(places)), -(-len(places) // 2))
    for panel, (kind, form) in zip(axes, places):
        for number, label in enumerate(labels):
            own = [p for p in points if (p["label"], p["kind"], p["form"]) == (label, kind, form)]
            if own:
                own.sort(key=lambda point: point["strength"])
                strengths = [point["strength"] + DODGE * (number - (len(labels) - 1) / 2) for point in own]
                _intervals(panel, strengths, own, line(number), label if panel is axes[0] else None)
        panel.set(title=f"{kind.replace('_', ' ')}, {form}", xlabel="strength", ylabel="task success", ylim=(-0.02, 1.02))
    for panel in axes[len(places) :]:
        panel.remove()
    legend_below(figure, labels)
    return figure


def _intervals(
    panel: Axes, places: Sequence[float], shares: Sequence[Mapping[str, Any]], style: dict[str, Any], label: str | None
) -> None:
    panel.errorbar(
        places, [share["rate"] for share in shares], _spread(shares), label=label, capsize=2, elinewidth=0.9, **style
    )


def _spread(shares: Sequence[Mapping[str, Any]]) -> list[list[float]]:
    """How far the interval reaches down and up."""
    return [[share["rate"] - share["low"] for share in shares], [share["high"] - share["rate"] for share in shares]]
