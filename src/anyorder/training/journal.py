"""What a run writes down while it trains: ``metrics.jsonl`` for machines, TensorBoard for curves."""

from __future__ import annotations

import json
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from anyorder.files import replacing

METRICS_FILE = "metrics.jsonl"


class Journal:
    """Appends one line per record. Continuing a run drops the records that come after.

    Args:
        folder: of the run.
        done: number of updates that are done; their records are kept.
    """

    def __init__(self, folder: Path, done: int) -> None:
        self._path = folder / METRICS_FILE
        kept = [line for line in read_metrics(folder) if line["update"] <= done]
        with replacing(self._path) as temporary:
            temporary.write_text("".join(json.dumps(line) + "\n" for line in kept))
        self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=done + 1)

    def write(self, update: int, section: str, numbers: dict[str, float]) -> None:
        """One record: the update it belongs to, the section (train, validation) and its numbers."""
        with open(self._path, "a") as file:
            file.write(json.dumps({"update": update, "section": section, **numbers}) + "\n")
        for name, number in numbers.items():
            self._board.add_scalar(f"{section}/{name}", number, update)

    def close(self) -> None:
        self._board.close()


def read_metrics(folder: Path) -> list[dict]:
    """All records of a run; a last line cut short by a crash is left out."""
    path = Path(folder) / METRICS_FILE
    records = []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return records
