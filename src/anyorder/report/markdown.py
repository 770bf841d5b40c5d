"""The report of ``anyorder evaluate``: one Markdown page beside the curves, a reconstruction and a film."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from anyorder.evaluation.evaluate import EvaluationConfig
from anyorder.evaluation.findings import Findings
from anyorder.files import replacing
from anyorder.pictures.names import in_markdown
from anyorder.pictures.training_curves import write_training_curves
from anyorder.report.tables import markdown


def write_report(folder: Path, run: Path, header: dict[str, Any], findings: Findings, config: EvaluationConfig) -> None:
    """Write ``report.md`` and ``curves.png`` into ``folder``; the page shows those pictures that are there.

    Args:
        folder: of the report.
        run: folder of the run.
        header: of the run's checkpoint.
        findings: what the evaluation found.
        config: what the evaluation was asked.

    Raises:
        AnyOrderError: when a file cannot be written.
    """
    write_training_curves(run, folder / "curves.png")
    pictures = {
        "Training": "curves.png",
        "A test trajectory: what was true, what was shown, what was rebuilt": "reconstruction.png",
        "Episodes, and what the model believed about hidden cells": "episodes.gif",
    }
    parts = [
        f"# Run {in_markdown(run.name)}",
        in_markdown(f"Trained on {header['env_id']}, judged on {findings.env_id}."),
        *(markdown(table) for table in findings.tables(config.metrics)),
        *(f"## {title}\n\n![{title}]({name})" for title, name in pictures.items() if (folder / name).exists()),
        f"## Configuration\n\n```yaml\n{yaml.safe_dump(header['config'], sort_keys=False)}```",
    ]
    with replacing(folder / "report.md") as temporary:
        temporary.write_text("\n\n".join(parts) + "\n")
