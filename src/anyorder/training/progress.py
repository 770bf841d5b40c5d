"""The progress bar of training: updates, rate, time left, latest scores."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


SHORT = {"action_accuracy": "actions", "observation_accuracy": "elements", "object_accuracy": "objects"}


class TrainingProgress:
    """Keeps the averages that the bar and the journal show."""

    def __init__(self, bar: Progress, total: int, done: int) -> None:
        self._bar = bar
        self._task = bar.add_task("training", total=total, completed=done, note="")
        self._start = time.monotonic()
        self._frames = 0

    @property
    def rate(self) -> float:
        """Frames per second since the start."""
        return self._frames / max(1e-9, time.monotonic() - self._start)

    def advance(self, frames: int) -> None:
        """One update on so many frames is done."""
        self._frames += frames
        self._bar.advance(self._task)

    def show(self, loss: float, scores: dict[str, float]) -> None:
        """The latest loss and validation scores."""
        shown = "".join(f" {SHORT.get(name, name)} {100 * value:.1f}%" for name, value in scores.items() if name != "loss")
        self._bar.update(self._task, note=f"loss {loss:.2f} {self.rate:.0f} frames/s{shown}")


@contextmanager
def training_progress(total: int, done: int, visible: bool) -> Iterator[TrainingProgress]:
    """Show a bar while the block runs."""
    columns = (BarColumn(bar_width=12), MofNCompleteColumn(), TextColumn("left"), TimeRemainingColumn(), TextColumn("{task.fields[note]}"))
    with Progress(*columns, console=Console(stderr=True), disable=not visible) as bar:
        yield TrainingProgress(bar, total, done)
