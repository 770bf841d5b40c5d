"""The records that a run writes while it trains: ``metrics.jsonl`` for programs, TensorBoard for curves."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch.utils.tensorboard import SummaryWriter

from anyorder.errors import AnyOrderError
from anyorder.files import read_text, replacing
from anyorder.parsing import Unreadable, brief, from_json
from anyorder.restoring import restored

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
        self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=done + 1)

    def write(self, update: int, section: str, numbers: dict[str, float]) -> None:
        """Append one record: the update that it belongs to, the section (train or validation) and the numbers."""
        with open(self._path, "a") as file:
            file.write(json.dumps({"update": update, "section": section, **numbers}) + "\n")
        for name, number in numbers.items():
            self._board.add_scalar(f"{section}/{name}", number, update)

    def close(self) -> None:
        self._board.close()


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
    restored(_Place, record)
    for name, number in record.items():
        if name != "section" and number is not None and (isinstance(number, bool) or not isinstance(number, (int, float))):
            raise ValueError(f"{brief(name, 60)} must be a number; found {brief(number)}")
    return record


@dataclass(frozen=True)
class _Place:
    """What every record has, beside its numbers."""

    update: int
    section: str
