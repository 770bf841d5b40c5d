"""Trajectories of any environment on disk, in the format of all data sets: a folder of Parquet shards beside a
``manifest.json``, which also holds the spaces and the spec. Every array comes back bit for bit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from gymnasium import spaces

from anyorder.config import SpecConfig
from anyorder.data.manifest import Manifest, Shard, read_manifest, write_manifest
from anyorder.data.storage import first_of, read_rows, shards_of, write_rows, wrong_content
from anyorder.data.stored_arrays import ARRAY, array_entries, arrays_of
from anyorder.elements.fitting import fit_spec
from anyorder.envs.spaces import ACTION, OBSERVATION, space_from_json, space_to_json
from anyorder.errors import AnyOrderError
from anyorder.parsing import brief
from anyorder.restoring import restored
from anyorder.types import ARRAY_ROLES, FieldTrajectory

FIELD_SCHEMA = pa.schema(
    [
        ("env_id", pa.string()),
        ("seed", pa.int64()),
        ("mission", pa.string()),
        ("success", pa.bool_()),  # null where the environment says nothing
        ("rewards", pa.list_(pa.float64())),
        ("terminations", pa.list_(pa.bool_())),
        ("truncations", pa.list_(pa.bool_())),
        ("arrays", pa.list_(ARRAY)),  # by role and path
    ]
)
SIGNALS = {"rewards": np.float64, "terminations": np.bool_, "truncations": np.bool_}


def write_field_shard(path: Path, seeds: range, trajectories: Sequence[FieldTrajectory]) -> Shard:
    """Write the episodes of ``seeds`` (a range of step 1) to a Parquet file, atomically; returns its entry in the manifest.
    Equal episodes always make equal bytes.

    Raises:
        AnyOrderError: for an array of Python objects or records; nothing is pickled.
    """
    rows = [_row(trajectory) for trajectory in trajectories]
    shard = write_rows(path, seeds, rows, FIELD_SCHEMA, sum(map(len, trajectories)))
    says = [trajectory.success for trajectory in trajectories if trajectory.success is not None]
    return replace(shard, num_successes=sum(says) if says else None)


def read_field_split(folder: Path, split: str, num_demonstrations: int | None = None) -> list[FieldTrajectory]:
    """The trajectories of a split by rising seed, exactly as they were written.

    Args:
        folder: folder of the data set.
        split: name of the split.
        num_demonstrations: how many to read, the first ones; None: all.

    Raises:
        AnyOrderError: when the data set or the split is missing or unfinished, the data set holds other content, a shard is
            missing or damaged, or there are fewer trajectories than asked for.
    """
    found = [one for shard in shards_of(folder, split, "fields") for one in read_field_shard(Path(folder), shard)]
    return first_of(found, num_demonstrations, folder)


def read_field_shard(folder: Path, shard: Shard) -> list[FieldTrajectory]:
    """The trajectories of one shard.

    Raises:
        AnyOrderError: when the file is missing, damaged or has other columns.
    """
    table = read_rows(folder, shard, (FIELD_SCHEMA,), "collect or import the data anew")
    try:
        signals = {name: [row for chunk in table[name].chunks for row in chunk] for name in SIGNALS}
        rows = table.drop_columns(list(SIGNALS)).to_pylist()
        return [_trajectory(row, {name: signals[name][i] for name in SIGNALS}) for i, row in enumerate(rows)]
    except (ValueError, TypeError, AttributeError, OverflowError, pa.ArrowException) as error:
        raise wrong_content(folder, shard, error) from None


def spaces_to_json(observation_space: spaces.Space[Any], action_space: spaces.Space[Any]) -> dict[str, Any]:
    """What a manifest says of a data set's spaces.

    Raises:
        AnyOrderError: for a space that trajectories cannot have.
    """
    return {OBSERVATION: space_to_json(observation_space), ACTION: space_to_json(action_space)}


def spaces_from(written: Any, where: str) -> tuple[spaces.Space[Any], spaces.Space[Any]]:
    """The observation and the action space that `spaces_to_json` wrote.

    Args:
        written: what a file holds for them.
        where: names the file, for the error.

    Raises:
        AnyOrderError: for anything else.
    """
    try:
        return space_from_json(written[OBSERVATION]), space_from_json(written[ACTION])
    except (KeyError, TypeError, ValueError, AssertionError, OverflowError, AttributeError) as error:
        raise AnyOrderError(
            f"{where} must hold the observation and the action space; found others ({brief(error)}); make it anew"
        ) from None


def spaces_of(manifest: Manifest, folder: Path) -> tuple[spaces.Space[Any], spaces.Space[Any]]:
    """The observation and the action space of a data set of fields; raises as `spaces_from`."""
    return spaces_from(manifest.spaces, f"the manifest of {folder}")


def with_spec(folder: Path, config: SpecConfig | None = None) -> Manifest:
    """Fit the spec of a finished data set on its training split (the first split where there is none) and write it into the
    manifest, which is returned.

    Args:
        folder: folder of the data set.
        config: what is to be otherwise than the data say; None: nothing.

    Raises:
        AnyOrderError: when the data set is unfinished or damaged, or `fit_spec` finds no spec.
    """
    manifest = read_manifest(folder)
    split = "train" if "train" in manifest.splits else next(iter(manifest.splits), "train")
    trajectories = read_field_split(folder, split)
    spec = fit_spec(*spaces_of(manifest, folder), trajectories, config)
    manifest = replace(manifest, fields=spec, field_settings=settings_of(config))
    write_manifest(folder, manifest)
    return manifest


def settings_of(config: SpecConfig | None) -> SpecConfig | None:
    """What a manifest says of a configuration: None where it leaves everything as it is."""
    return None if config == SpecConfig() else config


def _row(trajectory: FieldTrajectory) -> dict[str, Any]:
    row = {name: getattr(trajectory, name) for name in FIELD_SCHEMA.names if name != "arrays"}
    row["arrays"] = array_entries(trajectory, ARRAY_ROLES)
    return row


def _trajectory(row: dict[str, Any], signals: Mapping[str, pa.ListScalar]) -> FieldTrajectory:
    arrays = arrays_of(row.pop("arrays"), ARRAY_ROLES)
    for name, kind in {"env_id": str, "seed": int, "mission": str, "success": bool | None}.items():
        # What an environment says is any text, also what no setting may hold.
        restored(kind, row[name].replace("\0", "") if isinstance(row[name], str) else row[name], name)
    row |= arrays | {name: _signal(signals[name], dtype) for name, dtype in SIGNALS.items()}
    return FieldTrajectory(**row)


def _signal(signal: pa.ListScalar, dtype: type[np.generic]) -> np.ndarray:
    if signal.values.null_count:
        raise ValueError("rewards, terminations and truncations must have a value for each action; found null")
    return np.asarray(signal.values.to_numpy(zero_copy_only=False), dtype)
