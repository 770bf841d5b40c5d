"""The records that a run writes while it trains: ``metrics.jsonl`` for programs, TensorBoard for curves."""

from __future__ import annotations

import json
import os
import socket
import time
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

from anyorder.errors import AnyOrderError
from anyorder.files import read_text, replacing
from anyorder.parsing import Unreadable, brief, from_json
from anyorder.restoring import restored

METRICS_FILE = "metrics.jsonl"
CHECK = "crc32"
"""The key of a record's checksum in its line. Earlier records have none."""


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
            temporary.write_text("".join(map(_line, kept)))
        self._board = _Curves(folder / "tensorboard", done)

    def write(self, update: int, section: str, numbers: dict[str, float]) -> None:
        """Append one record: the update that it belongs to, the section (train or validation) and the numbers."""
        with open(self._path, "a") as file:
            file.write(_line({"update": update, "section": section, **numbers}))
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
    """All records of a run; without the last line if a crash has cut it short.

    Raises:
        AnyOrderError: for any other line that is no record.
    """
    path = Path(folder) / METRICS_FILE
    lines = read_text(path).splitlines() if path.exists() else []
    records = []
    for number, line in enumerate(lines, start=1):
        try:
            records.append(_record(from_json(line)))
        except ValueError as error:
            if number == len(lines) and isinstance(error, Unreadable):
                break
            advice = "restore it, or remove it to go without curves"
            raise AnyOrderError(f"{path} is damaged at line {number} ({error}); {advice}") from None
    return records


def _record(value: Any) -> dict[str, Any]:
    record: dict[str, Any] = restored(dict[str, Any], value, "the record")
    expected = record.pop(CHECK, None)
    if expected is not None and expected != _checksum(record):
        raise ValueError("it was changed after it was written")
    restored(_Place, record)
    for name, number in record.items():
        if name != "section" and number is not None and (isinstance(number, bool) or not isinstance(number, (int, float))):
            raise ValueError(f"{brief(name, 60)} must be a number; found {brief(number)}")
    return record


def _line(record: dict[str, Any]) -> str:
    return json.dumps({**record, CHECK: _checksum(record)}) + "\n"


def _checksum(record: dict[str, Any]) -> int:
    return zlib.crc32(json.dumps(record).encode())


@dataclass(frozen=True)
class _Place:
    """What every record has, beside its numbers."""

    update: int
    section: str
