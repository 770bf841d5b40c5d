"""Minari's data sets, read from the disk: in HDF5 or Arrow, recorded by Minari's own collector or exported by this package."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces

from anyorder.data.grids import MISSION_PATH, grids_of_fields
from anyorder.data.importers.minari_spaces import (
    check_minari_spaces,
    env_id_of,
    noted_spaces,
    shows_registered_view,
    with_texts,
)
from anyorder.data.importers.recording import Recording, mission_in, success_in
from anyorder.data.minari_format import (
    ERRORS_OF_MINARI,
    NOTE,
    DataSetNote,
    EpisodeNote,
    flat_paths,
    minari_package,
    text_array,
    with_minari_keys,
)
from anyorder.envs.spaces import ACTION, OBSERVATION, flatten, leaves
from anyorder.errors import AnyOrderError
from anyorder.files import read_json
from anyorder.parsing import brief
from anyorder.restoring import restored, restored_from
from anyorder.terminal import tracked
from anyorder.types import FieldTrajectory

from minigrid.core.mission import MissionSpace  # isort: skip  (after anyorder.envs, which silences what it prints)


def minari_folder(name: str) -> Path:
    """The folder of a data set's metadata: of the given folder, or of the local data set with that name.

    Raises:
        AnyOrderError: when minari is not installed, or there is no such data set.
    """
    minari_package()
    from minari.storage import get_dataset_path

    roots = [Path(name)] if Path(name).is_dir() else [get_dataset_path(name)]
    for folder in [part for root in roots for part in (root / "data", root)]:
        if (folder / "metadata.json").is_file():
            return folder
    raise AnyOrderError(
        f"there is no data set of Minari named {name} in {get_dataset_path()}; get it with `minari download {name}`, name its"
        " folder, or set MINARI_DATASETS_PATH"
    )


@dataclass(frozen=True)
class _Metadata:
    """What every data set says of itself."""

    total_episodes: int


@dataclass(frozen=True)
class _Source:
    """An open data set.

    Attributes:
        storage: Minari's, which reads the episodes.
        spaces: root -> its space, with a space of texts for a space of missions.
        paths: root -> path in Minari's space -> path in the space.
        skipped: paths that are not read.
        env_id: of the environment, or the name of the data set.
    """

    storage: Any
    spaces: Mapping[str, spaces.Space[Any]]
    paths: Mapping[str, Mapping[str, str]]
    skipped: Collection[str]
    env_id: str


def read_minari(name: str, leave_out: Collection[str] = ()) -> Recording:
    """All episodes of a data set of Minari.

    Args:
        name: of a local data set, or its folder.
        leave_out: paths that are not read, such as those of cameras.

    Raises:
        AnyOrderError: when there is no such data set or it is damaged, when its spaces cannot become fields, and for pictures
            that Minari stored as JPEG, whose values are not those that were recorded.
    """
    folder = minari_folder(name)
    metadata = read_json(folder / "metadata.json")
    where = str(folder / "metadata.json")
    total = restored_from(_Metadata, metadata, where, "get the data set anew").total_episodes
    note: DataSetNote | None = None
    if NOTE in metadata:
        note = restored_from(DataSetNote, metadata[NOTE], where, "export the data set anew")
    source = _open(folder, metadata, note, leave_out)
    called = f"minari:{metadata.get('dataset_id', name)}"
    trajectories: list[FieldTrajectory] = []
    groups, splits, left_out, lost = [], [], [], set()
    for number in tracked(range(total), called):
        raw, seed = _raw(source.storage, number, folder)
        if not len(raw["rewards"]):
            left_out.append(f"episode {number}: it has no action")
            continue
        try:
            trajectory, split, unread = _trajectory(source, raw, seed, number)
        except ERRORS_OF_MINARI as error:
            raise AnyOrderError(
                f"episode {number} of {folder} is no trajectory ({brief(error)}); repair the data set"
            ) from None
        trajectories.append(trajectory)
        groups.append(f"episode {number}" if seed is None else f"seed {seed}")
        splits.append(split)
        lost |= unread
    source = _with_observed_missions(source, trajectories)
    observation, action = (source.spaces[root] for root in (OBSERVATION, ACTION))
    if note is not None:
        grids = grids_of_fields(observation, action, trajectories) if note.content == "grid" else None
    else:
        grids = grids_of_fields(observation, action, trajectories) if shows_registered_view(metadata) else None
    notes = [f"the infos {name} hold no arrays of numbers or texts, and are left out" for name in sorted(lost)]
    if unseeded := sum(group.startswith("episode") for group in groups):
        notes.append(f"{unseeded:,} episodes name no seed; each gets its number, so they cannot be played again")
    if all(splits) and splits:
        notes.append("the episodes stay in the splits that they were exported from")
    return Recording(
        *(called, source.env_id, observation, action, trajectories, groups),
        splits=[str(split) for split in splits] if all(splits) else None,
        grids=grids,
        left_out=tuple(left_out),
        notes=tuple(notes),
    )


def _open(folder: Path, metadata: Mapping[str, Any], note: DataSetNote | None, leave_out: Collection[str]) -> _Source:
    from minari.dataset.minari_storage import MinariStorage, is_image_space

    check_minari_spaces(metadata, folder)
    try:
        storage = MinariStorage.read(folder)
    except ImportError as error:
        raise AnyOrderError(f"{folder} needs a package that is not installed ({error})") from None
    except ERRORS_OF_MINARI as error:
        raise AnyOrderError(f"{folder} is no data set that Minari can read ({brief(error)}); get it anew") from None
    plain = {OBSERVATION: storage.observation_space, ACTION: storage.action_space}
    plain = {root: with_texts(space, spaces.Text(1)) for root, space in plain.items()}
    ours = plain if note is None else noted_spaces(note, folder)
    theirs = plain if note is None else {root: with_minari_keys(space) for root, space in ours.items()}
    paths = {root: dict(zip(leaves(theirs[root], root), leaves(ours[root], root))) for root in plain}
    if any(set(paths[root]) != set(leaves(plain[root], root)) for root in plain):
        raise AnyOrderError(f"the spaces in {folder / 'metadata.json'} must agree; found others; export the data set anew")
    for root in plain:
        for path, leaf in leaves(plain[root], root).items():
            if storage.jpeg_encoding and is_image_space(leaf) and paths[root][path] not in leave_out:
                raise AnyOrderError(
                    f"{paths[root][path]} must be exact; found pictures that Minari stored as JPEG, which are not what was"
                    f" recorded; leave them out with --data.fields.leave_out '[\"{paths[root][path]}\"]', or record the data"
                    " with jpeg_encoding=False"
                )
    return _Source(storage, ours, paths, set(leave_out), note.env_id if note else env_id_of(metadata))


def _with_observed_missions(source: _Source, trajectories: Collection[FieldTrajectory]) -> _Source:
    """The space of a MissionSpace says nothing; that of texts which takes its place holds the missions that occur."""
    space = source.storage.observation_space
    if not isinstance(space, spaces.Dict) or not any(isinstance(inner, MissionSpace) for inner in space.spaces.values()):
        return source
    missions = {text for one in trajectories for text in one.observations[MISSION_PATH].tolist()}
    text = spaces.Text(max([1, *map(len, missions)]), min_length=0, charset="".join(sorted(set("".join(missions)))) or " ")
    return _Source(
        source.storage,
        {**source.spaces, OBSERVATION: with_texts(space, text)},
        source.paths,
        source.skipped,
        source.env_id,
    )


def _raw(storage: Any, number: int, folder: Path) -> tuple[dict[str, Any], int | None]:
    """One episode as Minari gives it, and its seed."""
    import pyarrow as pa

    try:
        found = list(storage.get_episodes([number]))
        (told,) = storage.get_episode_metadata([number])
        seed = told.get("seed")
        steps = told.get("total_steps", len(found[0]["rewards"]))
        if len(found) != 1 or len(found[0]["rewards"]) != steps:
            raise ValueError(f"{len(found)} parts, where one of {steps} steps must be")
        return found[0], None if seed is None else int(seed)
    except (*ERRORS_OF_MINARI, pa.ArrowException) as error:
        raise AnyOrderError(f"episode {number} of {folder} cannot be read ({brief(error)}); get the data set anew") from None


def _trajectory(
    source: _Source, raw: Mapping[str, Any], seed: int | None, number: int
) -> tuple[FieldTrajectory, str | None, set[str]]:
    """The trajectory, its split where the episode names one, and the infos that are left out."""
    infos = dict(raw["infos"] or {})
    own = infos.pop(NOTE, None)
    note = None if own is None else restored(EpisodeNote, json.loads(text_array(own["episode"])[0]))
    absent, filled = (flat_paths(own.get(name, {})) if own else {} for name in ("absent", "filled"))
    arrays: dict[str, dict[str, np.ndarray]] = {}
    for root, values in ((OBSERVATION, raw["observations"]), (ACTION, raw["actions"])):
        arrays[root] = dict(_arrays(source, root, values, () if note is None else note.unrecorded))
    kept, lost = _infos(infos)
    if note is not None:
        for path, dtype in note.texts.items():
            for found in (*arrays.values(), kept):
                if path in found:
                    found[path] = found[path].astype(dtype)
    signals = {name: np.asarray(raw[name]).reshape(-1) for name in ("rewards", "terminations", "truncations")}
    trajectory = FieldTrajectory(
        source.env_id if note is None else note.env_id,
        _signed(number if seed is None else seed) if note is None else note.seed,
        arrays[OBSERVATION],
        arrays[ACTION],
        signals["rewards"].astype(np.float64),
        signals["terminations"].astype(np.bool_),
        signals["truncations"].astype(np.bool_),
        mission=mission_in(arrays[OBSERVATION]) if note is None else note.mission,
        success=success_in(kept) if note is None else note.success,
        absent={path: np.asarray(array, np.bool_) for path, array in absent.items()},
        filled={path: np.asarray(array, np.float32) for path, array in filled.items()},
        infos=kept,
    )
    return trajectory, None if note is None else note.split, lost


def _signed(seed: int) -> int:
    """The 64 bits of a seed as a signed number, which a table can hold; Minari draws unsigned ones."""
    return seed - 2**64 if seed >= 2**63 else seed


def _arrays(source: _Source, root: str, values: Any, unrecorded: Collection[str]) -> Iterator[tuple[str, np.ndarray]]:
    """Path and array of each leaf that was recorded."""
    plain = with_texts(source.storage.observation_space if root == OBSERVATION else source.storage.action_space, spaces.Text(1))
    theirs = leaves(plain, root)
    for their_path, value in flatten(plain, values, root).items():
        path = source.paths[root][their_path]
        if path in source.skipped or path in unrecorded:
            continue
        leaf = theirs[their_path]
        if isinstance(leaf, spaces.Text):
            yield path, text_array(value)
            continue
        array = np.asarray(value)
        if array.dtype.kind not in "biuf":
            raise ValueError(f"{path} must hold numbers; found {array.dtype}")
        shape = (len(array), *(leaf.shape or ()))
        if array.size != int(np.prod(shape)):
            raise ValueError(f"{path} must have the shape {list(shape[1:])} at each step; found {list(array.shape[1:])}")
        yield path, array.reshape(shape)


def _infos(nest: Mapping[str, Any]) -> tuple[dict[str, np.ndarray], set[str]]:
    """Path -> array, and the paths of what is none."""
    kept, lost = {}, set()
    for path, value in flat_paths(nest).items():
        array = np.asarray(value)
        if array.dtype.kind == "O" and array.ndim == 1 and all(isinstance(one, (str, bytes)) for one in array):
            array = text_array(array)
        if array.dtype.kind in "biufcSU":
            kept[path] = array
        else:
            lost.add(path)
    return kept, lost
