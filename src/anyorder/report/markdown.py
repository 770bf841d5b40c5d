"""What ``anyorder evaluate`` leaves: one Markdown page beside the curves, a reconstruction and a film."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")  # no screen needed
import matplotlib.pyplot as plt
import yaml

from anyorder.evaluation.evaluate import EvaluationConfig
from anyorder.evaluation.findings import Findings
from anyorder.files import replacing
from anyorder.report.tables import markdown
from anyorder.training.journal import read_metrics

DRAWN_CURVES = ("loss", "action_accuracy", "observation_accuracy", "object_accuracy")


def write_report(folder: Path, run: Path, header: dict[str, Any], findings: Findings, config: EvaluationConfig) -> None:
    """Write ``report.md`` and ``curves.png`` into ``folder``; pictures that are not there are left out."""
    _curves(run, folder / "curves.png")
    pictures = {
        "Training": "curves.png",
        "A test trajectory: what was true, what was shown, what was rebuilt": "reconstruction.png",
        "Episodes, and what the model believed about hidden cells": "episodes.gif",
    }
    parts = [
        f"# Run {run.name}",
        f"Trained on {header['env_id']}, judged on {findings.env_id}.",
        *(markdown(table) for table in findings.tables(config.metrics)),
        *(f"## {title}\n\n![{title}]({name})" for title, name in pictures.items() if (folder / name).exists()),
        f"## Configuration\n\n```yaml\n{yaml.safe_dump(header['config'], sort_keys=False)}```",
    ]
    with replacing(folder / "report.md") as temporary:
        temporary.write_text("\n\n".join(parts) + "\n")


def _curves(run: Path, path: Path) -> None:
    records = read_metrics(run)
    if not records:
        return
    figure, axes = plt.subplots(1, 2, figsize=(10, 3.6), constrained_layout=True)
    for section, style in (("train", "-"), ("validation", "o-")):
        chosen = [record for record in records if record["section"] == section]
        axes[0].plot([r["update"] for r in chosen], [r["loss"] for r in chosen], style, label=section)
    axes[0].set(xlabel="update", ylabel="loss (nats)", yscale="log")
    chosen = [record for record in records if record["section"] == "validation"]
    for name in DRAWN_CURVES[1:]:
        points = [(r["update"], 100 * r[name]) for r in chosen if name in r]
        if points:
            axes[1].plot(*zip(*points), "o-", label=name.replace("_", " "))
    axes[1].set(xlabel="update", ylabel="validation accuracy (%)")
    for axis in axes:
        axis.grid(alpha=0.3)
        axis.legend()
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
    plt.close(figure)
