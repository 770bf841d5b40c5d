"""The records that a run writes while it trains: ``metrics.jsonl`` for programs, TensorBoard for curves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from torch.utils.tensorboard import SummaryWriter

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
    """All records of a run; without the last line if a crash has cut it short."""
    path = Path(folder) / METRICS_FILE
    records = []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return records
