"""Runs of every kind, and the part of the page that only one kind has."""

from __future__ import annotations

from pathlib import Path

from anyorder.build.checkpoints import is_of_conversations
from anyorder.build.elements import holds_fields
from anyorder.report.field_run import FieldRun, read_field_run
from anyorder.report.run import ReportedRun, best_checkpoint, read_run
from anyorder.report.text_run import TextRun, read_text_run

AnyRun = ReportedRun | FieldRun | TextRun


def read_any_run(folder: Path) -> AnyRun:
    """Read a run's folder, whatever it was trained on.

    Raises:
        AnyOrderError: when there is no run, its checkpoint is missing or damaged, or what was written about it is damaged.
    """
    folder = Path(folder)
    checkpoint = best_checkpoint(folder)
    if holds_fields(checkpoint):
        return read_field_run(folder, checkpoint)
    return read_text_run(folder, checkpoint) if is_of_conversations(checkpoint) else read_run(folder)
