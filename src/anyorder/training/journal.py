"""The records that a run writes while it trains: ``metrics.jsonl`` for programs, TensorBoard for curves."""

from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

from anyorder.files import replacing

METRICS_FILE = "metrics.jsonl"


class Journal:
    """Appends one line per record.

    Args:
        folder: the run's folder.
        done: number of updates that are done; records of later updates are dropped, since a continued run repeats them.
    """

    def __init__(self, folder: Path, done: int) -> None:
        self._path = folder / METRICS_FILE
        kept = [line for line in read_metrics(folder) if line["update"] <= done]
        with replacing(self._path) as temporary:
            temporary.write_text("".join(json.dumps(line) + "\n" for line in kept))
        self._board = _Curves(folder / "tensorboard", done)

    def write(self, update: int, section: str, numbers: dict[str, float]) -> None:
        """Append one record: the update that it belongs to, the section (train or validation) and the numbers."""
        with open(self._path, "a") as file:
            file.write(json.dumps({"update": update, "section": section, **numbers}) + "\n")
        self._board.write(update, {f"{section}/{name}": number for name, number in numbers.items()})

    def close(self) -> None:
        self._board.close()


class _Curves:
    """A file of events for TensorBoard. TensorBoard's own writer does the same in a thread, which prints a traceback when the
    disk is full.

    Args:
        folder: where TensorBoard looks.
        done: number of updates that are done; TensorBoard drops what earlier files say of later ones.
    """

    def __init__(self, folder: Path, done: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}.{time.monotonic_ns()}"
        self._file = RecordWriter((folder / name).open("wb"))
        self._add(Event(file_version="brain.Event:2"))
        if done:
            self._add(Event(step=done + 1, session_log=SessionLog(status=SessionLog.START)))

    def write(self, update: int, numbers: dict[str, float]) -> None:
        values = [Summary.Value(tag=tag, simple_value=number) for tag, number in numbers.items()]
        self._add(Event(step=update, summary=Summary(value=values)))

    def close(self) -> None:
        self._file.close()

    def _add(self, event: Event) -> None:
        event.wall_time = time.time()
        self._file.write(event.SerializeToString())
        self._file.flush()


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """All records of a run; without the last line if a crash has cut it short."""
    path = Path(folder) / METRICS_FILE
    records = []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return records
