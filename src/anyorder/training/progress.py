"""The progress bar of training: updates, rate, time left, latest scores."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import Progress

from anyorder.terminal import progress_bars

SHORT = {
    "action_accuracy": "actions",
    "observation_accuracy": "elements",
    "object_accuracy": "objects",
    "mission_accuracy": "words of missions",
    "observation_nats": "nats",
}


class TrainingProgress:
    """Updates the bar, and keeps the average speed that the bar and the journal show."""

    def __init__(self, bar: Progress, total: int, done: int, counted_in: str) -> None:
        self._bar, self._counted_in = bar, counted_in
        self._task = bar.add_task("training", total=total, completed=done, note="")
        self._start = time.monotonic()
        self._length = 0

    @property
    def rate(self) -> float:
        """Frames or tokens per second since the start."""
        return self._length / max(1e-9, time.monotonic() - self._start)

    def advance(self, length: int) -> None:
        """Count one more update, on so many frames or tokens."""
        self._length += length
        self._bar.advance(self._task)

    def show(self, loss: float, scores: dict[str, float]) -> None:
        """Show the latest loss and validation scores."""
        shown = "".join(f" {SHORT.get(name, name)} {_score(name, value)}" for name, value in scores.items() if name != "loss")
        self._bar.update(self._task, note=f"loss {loss:.2f} {self.rate:.0f} {self._counted_in}/s{shown}")


def _score(name: str, value: float) -> str:
    return f"{100 * value:.1f}%" if name.endswith("accuracy") else f"{value:.2f}"


@contextmanager
def training_progress(total: int, done: int, counted_in: str, visible: bool) -> Iterator[TrainingProgress]:
    """Show a bar while the block runs."""
    with progress_bars("{task.fields[note]}", visible=visible) as bar:
        yield TrainingProgress(bar, total, done, counted_in)
