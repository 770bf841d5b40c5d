"""The curves of a training as one picture: loss, and accuracies on the validation split."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from anyorder.files import replacing
from anyorder.training.journal import read_metrics

DRAWN_ACCURACIES = ("action_accuracy", "observation_accuracy", "object_accuracy")


def write_training_curves(run: Path, path: Path) -> None:
    """Write a PNG of 1200 pixels' width: the loss of training and of validation, in nats, over the updates at the left,
    validation accuracies in percent at the right.

    Args:
        run: folder with a ``metrics.jsonl``; if it has no records, nothing is written.
        path: of the picture.

    Raises:
        AnyOrderError: when it cannot be written.
    """
    records = read_metrics(run)
    if not records:
        return
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    losses, accuracies = figure.subplots(1, 2)
    for section, style in (("train", "-"), ("validation", "o-")):
        chosen = [record for record in records if record["section"] == section]
        losses.plot([r["update"] for r in chosen], [r["loss"] for r in chosen], style, label=section)
    losses.set(xlabel="update", ylabel="loss (nats)", yscale="log")
    chosen = [record for record in records if record["section"] == "validation"]
    for name in DRAWN_ACCURACIES:
        points = [(r["update"], 100 * r[name]) for r in chosen if name in r]
        if points:
            accuracies.plot(*zip(*points), "o-", label=name.replace("_", " "))
    accuracies.set(xlabel="update", ylabel="validation accuracy (%)")
    for axes in (losses, accuracies):
        axes.grid(alpha=0.3)
        axes.legend()
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
