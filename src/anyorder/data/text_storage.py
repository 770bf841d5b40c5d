"""Text trajectories on disk, in the format of all data sets: a folder of Parquet shards beside a ``manifest.json``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa

from anyorder.data.manifest import Shard
from anyorder.data.storage import first_of, read_rows, shards_of, write_rows, wrong_content
from anyorder.types import TextTrajectory, Turn

TURN = pa.struct([("part", pa.string()), ("role", pa.string()), ("text", pa.string()), ("asked", pa.bool_())])
TEXT_SCHEMA = pa.schema([("number", pa.int64()), ("source", pa.string()), ("turns", pa.list_(TURN)), ("others", pa.string())])


def write_text_shard(path: Path, numbers: range, trajectories: Sequence[TextTrajectory]) -> Shard:
    """Write the trajectories of ``numbers`` (a range of step 1) to a Parquet file, atomically."""
    rows = [{"number": number, **asdict(trajectory)} for number, trajectory in zip(numbers, trajectories)]
    return write_rows(path, numbers, rows, TEXT_SCHEMA, sum(map(len, trajectories)))


def read_text_split(folder: Path, split: str, num_demonstrations: int | None = None) -> list[TextTrajectory]:
    """All trajectories of a split in the order of their lines, exactly as they were written.

    Raises:
        AnyOrderError: when the data set or the split is missing, the data set holds no text, or a shard is missing or damaged.
    """
    advice = "import the same files again into another folder"
    found: list[TextTrajectory] = []
    for shard in shards_of(folder, split, "text"):
        rows = read_rows(Path(folder), shard, (TEXT_SCHEMA,), advice).to_pylist()
        try:
            found += [
                TextTrajectory(row["source"], tuple(Turn(**turn) for turn in row["turns"]), row["others"]) for row in rows
            ]
        except (ValueError, TypeError) as error:
            raise wrong_content(Path(folder), shard, error) from None
    return first_of(found, num_demonstrations, folder)
