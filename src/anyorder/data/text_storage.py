"""Text trajectories on disk, in the format of all data sets: a folder of Parquet shards beside a ``manifest.json``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import pyarrow as pa

from anyorder.data.manifest import Shard, read_manifest
from anyorder.data.storage import first_of, read_rows, shards_of, write_rows, wrong_content
from anyorder.envs.played_text import PlayedText, played_text
from anyorder.errors import AnyOrderError
from anyorder.parsing import brief
from anyorder.types import TextTrajectory, Turn

TURN = pa.struct([("part", pa.string()), ("role", pa.string()), ("text", pa.string()), ("asked", pa.bool_())])
TEXT_SCHEMA = pa.schema([("number", pa.int64()), ("source", pa.string()), ("turns", pa.list_(TURN)), ("others", pa.string())])


def write_text_shard(path: Path, numbers: range, trajectories: Sequence[TextTrajectory]) -> Shard:
    """Write the trajectories of ``numbers`` (a range of step 1) to a Parquet file, atomically."""
    rows = [{"number": number, **asdict(trajectory)} for number, trajectory in zip(numbers, trajectories)]
    return write_rows(path, numbers, rows, TEXT_SCHEMA, sum(map(len, trajectories)))


def write_played_shard(path: Path, seeds: range, episodes: Sequence[PlayedText]) -> Shard:
    """Write the episodes of ``seeds`` (a range of step 1) that did not fail to a Parquet file, atomically."""
    rows = [{"number": episode.seed, **asdict(episode.conversation())} for episode in episodes]
    shard = write_rows(path, seeds, rows, TEXT_SCHEMA, sum(map(len, episodes)))
    said = [episode.success for episode in episodes]
    return shard if None in said else replace(shard, num_successes=sum(map(bool, said)))


def has_played(folder: Path) -> bool:
    """True if the conversations of a data set are episodes that were collected, not imported."""
    return "policy" in read_manifest(folder).spec


def read_played_split(folder: Path, split: str, num_demonstrations: int | None = None) -> list[PlayedText]:
    """The episodes of a split by rising seed, exactly as they were played.

    Raises:
        AnyOrderError: as `read_text_split`; and when an episode was not played, but imported.
    """
    found = []
    for trajectory in read_text_split(folder, split, num_demonstrations):
        try:
            episode = played_text(trajectory)
        except (ValueError, TypeError, KeyError, AnyOrderError) as error:
            raise AnyOrderError(
                f"{folder}: {trajectory.source} is no episode ({brief(error)}); collect the data anew"
            ) from None
        if episode is None:
            raise AnyOrderError(
                f"the conversations of {folder} must be episodes of a text environment; found one that was imported"
                f" ({trajectory.source}); make them with `anyorder collect`"
            )
        found.append(episode)
    return found


def read_text_split(folder: Path, split: str, num_demonstrations: int | None = None) -> list[TextTrajectory]:
    """All trajectories of a split in the order of their lines, exactly as they were written.

    Raises:
        AnyOrderError: when the data set or the split is missing, the data set holds no text, or a shard is missing or damaged.
    """
    advice = "import the same files again into another folder, or run the same `anyorder collect` again"
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
