"""The episodes of a data set on disk: a folder of Parquet shards, one row per episode, beside a ``manifest.json``.

A shard covers a fixed range of seeds. The manifest is written after the shards it lists, so what it lists is whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from anyorder.data.manifest import MANIFEST_VERSION, Shard, Split, read_manifest
from anyorder.data.stored_arrays import ARRAY, array_entries, arrays_of
from anyorder.envs.minigrid import NUM_ACTIONS, NUM_COLORS, NUM_DIRECTIONS, NUM_OBJECTS, NUM_STATES
from anyorder.errors import AnyOrderError, NothingUsable
from anyorder.files import replacing, sha256
from anyorder.parsing import brief
from anyorder.restoring import restored
from anyorder.types import Trajectory

T = TypeVar("T")
BEYOND: dict[str, Any] = {
    "observations": np.array([NUM_OBJECTS, NUM_COLORS, NUM_STATES], np.uint8),
    "directions": NUM_DIRECTIONS,
    "actions": NUM_ACTIONS,
}
"""Array of a trajectory -> the first number that MiniGrid does not have."""
SPLIT_OPTIONS = {
    "grid": {
        "validation": "--num_validation of `anyorder collect` above 0",
        "test": "--num_test of `anyorder collect` above 0",
    },
    "text": {
        "train": "a lower --validation and --test of `anyorder import`",
        "validation": "a higher --validation of `anyorder import`, or --num_validation of `anyorder collect` above 0",
        "test": "a higher --test of `anyorder import`, or --num_test of `anyorder collect` above 0",
    },
    "fields": {
        "train": "a lower --validation and --test of `anyorder import`",
        "validation": "--num_validation of `anyorder collect` or --validation of `anyorder import` above 0",
        "test": "--num_test of `anyorder collect` or --test of `anyorder import` above 0",
    },
}
"""Content of a data set -> split -> what gives a data set that split."""
GRID_SCHEMA = pa.schema(
    [
        ("env_id", pa.string()),
        ("seed", pa.int64()),
        ("mission", pa.string()),
        ("view_shape", pa.list_(pa.int32(), 3)),  # one observation's shape; T is the number of actions
        ("observations", pa.large_binary()),  # uint8 [T+1, *view_shape] in C order
        ("directions", pa.list_(pa.uint8())),
        ("actions", pa.list_(pa.uint8())),
        ("rewards", pa.list_(pa.float32())),
        ("terminated", pa.bool_()),
        ("truncated", pa.bool_()),
    ]
)
GAP_SCHEMA = GRID_SCHEMA.append(pa.field("arrays", pa.list_(ARRAY)))
"""Of shards in which something is absent or filled in: what that is, by role and name. Other shards are as they ever were."""
GAPS = ("absent", "filled")
"""Attributes of a `Trajectory` that say what is absent, and what a model filled in."""


def write_shard(path: Path, seeds: range, trajectories: Sequence[Trajectory]) -> Shard:
    """Write the episodes of ``seeds`` (a range of step 1) to a Parquet file, atomically; returns its entry in the manifest.
    Equal episodes always make equal bytes."""
    rows = [_row(trajectory) for trajectory in trajectories]
    has_gaps = any(one.absent or one.filled for one in trajectories)
    shard = write_rows(path, seeds, rows, GAP_SCHEMA if has_gaps else GRID_SCHEMA, sum(map(len, trajectories)))
    return replace(shard, num_successes=sum(trajectory.success for trajectory in trajectories))


def write_rows(path: Path, numbers: range, rows: Sequence[dict[str, Any]], schema: pa.Schema, num_steps: int) -> Shard:
    """Write the rows of ``numbers`` (a range of step 1) to a Parquet file, atomically; returns its entry in the manifest.
    Equal rows always make equal bytes."""
    with replacing(path) as temporary:
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), temporary, compression="zstd")
        digest = sha256(temporary)
    return Shard(path.name, numbers[0], numbers[-1], len(rows), num_steps, digest)


def _row(trajectory: Trajectory) -> dict[str, Any]:
    row = {name: getattr(trajectory, name) for name in GRID_SCHEMA.names if name != "view_shape"}
    row["view_shape"] = trajectory.observations.shape[1:]
    row["observations"] = trajectory.observations.tobytes()
    row["arrays"] = array_entries(trajectory, GAPS)
    return row


def read_split(folder: Path, split: str, num_demonstrations: int | None = None) -> list[Trajectory]:
    """The trajectories of a split by rising seed, exactly as they were written.

    Args:
        folder: folder of the data set.
        split: name of the split.
        num_demonstrations: how many to read, the first ones; None: all.

    Raises:
        AnyOrderError: when the data set or the split is missing or unfinished, all its episodes failed, a shard is missing
            or damaged, or there are fewer trajectories than asked for.
    """
    found = [trajectory for shard in shards_of(folder, split, "grid") for trajectory in read_shard(Path(folder), shard)]
    return first_of(found, num_demonstrations, folder)


def first_of(trajectories: list[T], number: int | None, folder: Path) -> list[T]:
    """The first so many trajectories of a folder; all where ``number`` is None.

    Raises:
        AnyOrderError: when there are fewer.
    """
    if number is not None and not 0 < number <= len(trajectories):
        raise AnyOrderError(
            f"data.num_demonstrations must lie between 1 and the {len(trajectories)} of {folder}; found {number}; lower it"
        )
    return trajectories[:number]


def shards_of(folder: Path, split: str, content: str) -> tuple[Shard, ...]:
    """The shards of a split, which must be complete.

    Args:
        folder: folder of the data set.
        split: name of the split.
        content: what the data set must hold, "grid", "text" or "fields".

    Raises:
        NothingUsable: when the split has no episodes.
        AnyOrderError: when it is missing or unfinished, or the data set holds the other content.
    """
    manifest = read_manifest(folder)
    if manifest.content != content:
        raise AnyOrderError(
            f"the data set must be one of {content}; found one of {manifest.content} in {folder}; choose another"
        )
    if split not in manifest.splits:
        option = SPLIT_OPTIONS[content].get(split)
        remedy = f"; make a data set that has one, with {option}, in another folder" if option else ""
        raise AnyOrderError(f"{folder} has no split {split!r}; it has {', '.join(manifest.splits)}{remedy}")
    found = manifest.splits[split]
    if not found.complete:
        raise AnyOrderError(
            f"the split {split!r} of {folder} is unfinished ({found.num_seeds_done} of {found.num_seeds} episodes);"
            " run the same `anyorder collect` again to continue"
        )
    if found.num_episodes == 0:
        raise NothingUsable(f"{nothing_kept(split, found)} in {folder}; collect with another policy")
    return found.shards


def nothing_kept(name: str, split: Split) -> str:
    """Says of a split without episodes that all failed, and why the first one did."""
    first = split.failures[0]
    return f"all {split.num_seeds} episodes of the split {name!r} failed (seed {first.seed}: {first.reason})"


def shard_error(folder: Path, shard: Shard) -> str | None:
    """A message that says what is wrong with a shard's file: it is missing, or its bytes have changed. None if it is whole."""
    path = folder / shard.file
    if not path.is_file():
        return f"{path} is missing"
    return None if sha256(path) == shard.sha256 else f"{path} is damaged (its SHA-256 is not the manifest's)"


def read_shard(folder: Path, shard: Shard) -> list[Trajectory]:
    """The trajectories of one shard.

    Raises:
        AnyOrderError: when the file is missing, damaged or has other columns.
    """
    table = read_rows(folder, shard, (GRID_SCHEMA, GAP_SCHEMA), "run the same `anyorder collect` again to make it anew")
    try:
        columns = {name: table[name].to_pylist() for name in table.column_names if not _is_array(name)}
        columns |= {name: _arrays(table[name]) for name in GRID_SCHEMA.names if _is_array(name)}
        return [_trajectory(dict(zip(columns, row))) for row in zip(*columns.values())]
    except (ValueError, TypeError, AttributeError) as error:  # a value that is missing, of another length or out of range
        raise wrong_content(folder, shard, error) from None


def read_rows(folder: Path, shard: Shard, schemas: Sequence[pa.Schema], advice: str) -> pa.Table:
    """The rows of one shard, which has one of these schemas.

    Raises:
        AnyOrderError: when the file is missing, damaged or has other columns; ``advice`` ends the message.
    """
    if error := shard_error(folder, shard):
        raise AnyOrderError(f"{error}; {advice}")
    with pq.ParquetFile(folder / shard.file) as file:
        if not any(file.schema_arrow.equals(schema) for schema in schemas):
            raise AnyOrderError(
                f"{folder / shard.file} must have the columns of version {MANIFEST_VERSION}; found others; {advice}"
            )
        table = file.read()
    if table.num_rows != shard.num_episodes:
        raise AnyOrderError(
            f"{folder / shard.file} must have the {shard.num_episodes} rows of the manifest; found {table.num_rows}; {advice}"
        )
    return table


def wrong_content(folder: Path, shard: Shard, error: Exception) -> AnyOrderError:
    """Says that a shard is as it was written, but was not written by this package."""
    return AnyOrderError(f"{folder / shard.file} holds a row that is no trajectory ({brief(error)}); make the data set anew")


def _is_array(name: str) -> bool:
    return name in GRID_SCHEMA.names and pa.types.is_list(GRID_SCHEMA.field(name).type)


def _arrays(column: pa.ChunkedArray) -> list[np.ndarray]:
    return [row.values.to_numpy(zero_copy_only=False) for chunk in column.chunks for row in chunk]


def _trajectory(row: dict[str, Any]) -> Trajectory:
    shape = (len(row["actions"]) + 1, *row.pop("view_shape"))
    row["observations"] = np.frombuffer(row["observations"], np.uint8).reshape(shape)
    for name, kind in {"env_id": str, "seed": int, "mission": str, "terminated": bool, "truncated": bool}.items():
        # What an environment says is any text, also what no setting may hold.
        restored(kind, row[name].replace("\0", "") if isinstance(row[name], str) else row[name], name)
    row |= arrays_of(row.pop("arrays", ()), GAPS)
    trajectory = Trajectory(**row)
    for name, beyond in BEYOND.items():
        if bool((getattr(trajectory, name) >= beyond).any()):
            raise ValueError(f"{name} must be below {beyond}; found {getattr(trajectory, name).max()}")
    return trajectory
