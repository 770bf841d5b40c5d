"""A data set as one of Minari's, whose import gives the same trajectories, bit for bit."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces

from anyorder.data.field_storage import read_field_split, spaces_of, spaces_to_json
from anyorder.data.grids import fields_with_mission, spaces_with_missions
from anyorder.data.importers.minari_sets import read_minari
from anyorder.data.manifest import Manifest, read_manifest
from anyorder.data.minari_format import (
    ERRORS_OF_MINARI,
    NOTE,
    DataSetNote,
    EpisodeNote,
    minari_key,
    minari_package,
    nested_paths,
    with_minari_keys,
)
from anyorder.data.storage import read_split
from anyorder.envs.spaces import ACTION, OBSERVATION, leaves, unflatten
from anyorder.errors import AnyOrderError
from anyorder.parsing import brief
from anyorder.terminal import tracked
from anyorder.types import ARRAY_ROLES, FieldTrajectory

Spaces = tuple[spaces.Space[Any], spaces.Space[Any]]


def export_minari(folder: Path, name: str) -> Path:
    """Write a data set as a local one of Minari, in HDF5 and without loss; returns its folder.

    What Minari has no place for (the mission, what was not recorded, splits, the environment of each episode) lies beside its
    arrays; `anyorder.data.minari_format` says where. All that was written is read back and compared.

    Args:
        folder: of the data set, finished; of grids or of fields.
        name: NAMESPACE/NAME-v0 of the new one; Minari's local folder must not have it.

    Raises:
        AnyOrderError: when minari is not installed, the data set holds conversations or is unfinished, the name is none or is
            taken, or Minari cannot hold an array of it.
    """
    minari = minari_package()
    from minari.storage import get_dataset_path

    try:
        minari.dataset.minari_dataset.parse_dataset_id(name)
    except (ValueError, TypeError):
        raise AnyOrderError(
            "the name must be one like namespace/name-v0 (letters, digits, - and _, at least two in a namespace);"
            f" found {brief(name)}"
        ) from None
    target = get_dataset_path(name)
    if target.exists():
        raise AnyOrderError(f"{target} exists already; choose another name or version, or delete it")
    manifest, episodes, found = _read(Path(folder))
    note = DataSetNote(manifest.env_id, manifest.content, spaces_to_json(*found))
    try:
        _write(minari, name, note, found, episodes)
        _compare(name, episodes)
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise
    return target


def _read(folder: Path) -> tuple[Manifest, list[tuple[str, FieldTrajectory]], Spaces]:
    """The manifest, each episode with the name of its split, and the spaces."""
    manifest = read_manifest(folder)
    splits = [name for name, split in manifest.splits.items() if split.num_episodes]
    if manifest.content == "fields":
        kept = [(name, one) for name in splits for one in read_field_split(folder, name)]
        return manifest, kept, spaces_of(manifest, folder)
    grids = [(name, grid) for name in splits for grid in read_split(folder, name)]
    return (
        manifest,
        [(name, fields_with_mission(grid)) for name, grid in grids],
        spaces_with_missions([grid for _, grid in grids]),
    )


def _write(minari: Any, name: str, note: DataSetNote, found: Spaces, episodes: Sequence[tuple[str, FieldTrajectory]]) -> None:
    from minari.namespace import create_namespace, list_local_namespaces

    namespace = name.rpartition("/")[0]
    try:
        if namespace and namespace not in list_local_namespaces():
            create_namespace(namespace)
        made = minari.create_dataset_from_buffers(
            name,
            [_buffer(one, split, found) for split, one in tracked(episodes, name)],
            observation_space=with_minari_keys(found[0]),
            action_space=with_minari_keys(found[1]),
            data_format="hdf5",
            jpeg_encoding=False,
            description=f"Exported from {note.env_id} by anyorder.",
        )
        made.storage.update_metadata({NOTE: asdict(note)})
    except ERRORS_OF_MINARI as error:
        raise AnyOrderError(f"Minari cannot hold this data set ({brief(error)}); leave out what it has no place for") from None


def _buffer(one: FieldTrajectory, split: str, found: Spaces) -> Any:
    from minari.data_collector import EpisodeBuffer

    nests, unrecorded = [], []
    for root, space, recorded in zip((OBSERVATION, ACTION), found, (one.observations, one.actions)):
        values = {}
        for path, leaf in leaves(space, root).items():
            if path not in recorded:
                unrecorded.append(path)
            values[path] = _value(leaf, recorded.get(path), len(one) + (root == OBSERVATION))
        nests.append(_with_keys(unflatten(space, values, root)))
    arrays = {**one.observations, **one.actions, **one.infos}
    texts = {path: array.dtype.str for path, array in arrays.items() if array.dtype.kind == "U"}
    said = EpisodeNote(one.env_id, one.seed, split, one.mission, one.success, tuple(unrecorded), texts)
    own = {"episode": [json.dumps(asdict(said))], "absent": nested_paths(one.absent), "filled": nested_paths(one.filled)}
    infos = {path: array.tolist() if array.dtype.kind == "U" else array for path, array in one.infos.items()}
    return EpisodeBuffer(
        seed=one.seed % 2**64,
        observations=nests[0],
        actions=nests[1],
        rewards=one.rewards,
        terminations=one.terminations,
        truncations=one.truncations,
        infos={**nested_paths(infos), NOTE: own},
    )


def _value(leaf: spaces.Space[Any], recorded: np.ndarray | None, length: int) -> Any:
    """What Minari gets for a leaf: a list of texts, or an array; zeros where nothing was recorded."""
    if isinstance(leaf, spaces.Text):
        return [""] * length if recorded is None else recorded.tolist()
    return np.zeros((length, *(leaf.shape or ())), leaf.dtype) if recorded is None else recorded


def _with_keys(nest: Any) -> Any:
    if isinstance(nest, dict):
        return {minari_key(key): _with_keys(inner) for key, inner in nest.items()}
    return tuple(_with_keys(inner) for inner in nest) if isinstance(nest, tuple) else nest


def _compare(name: str, episodes: Sequence[tuple[str, FieldTrajectory]]) -> None:
    """Refuse what Minari changed (such as a text after the character NUL)."""
    read = read_minari(name)
    for (split, ours), theirs, theirs_split in zip(episodes, read.trajectories, read.splits or (), strict=True):
        changed = list(_differing(ours, theirs))
        if changed or split != theirs_split:
            raise AnyOrderError(
                f"Minari must give back what was written; it changed {', '.join(changed)} of the episode with seed {ours.seed};"
                " leave it out"
            )


def _differing(ours: FieldTrajectory, theirs: FieldTrajectory) -> Iterator[str]:
    """Names of the attributes and arrays that are not equal to the bit."""
    for name in ("env_id", "seed", "mission", "success"):
        if getattr(ours, name) != getattr(theirs, name):
            yield name
    for name in ARRAY_ROLES:
        a: Mapping[str, np.ndarray] = getattr(ours, name)
        b: Mapping[str, np.ndarray] = getattr(theirs, name)
        for path in sorted({*a, *b}):
            if path not in a or path not in b or not _same(a[path], b[path]):
                yield path
    for name in ("rewards", "terminations", "truncations"):
        if not _same(getattr(ours, name), getattr(theirs, name)):
            yield name


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
