"""Data sets of LeRobot (versions 2 and 3 of its format), read from the disk: states, actions and tasks.

Layout: ``meta/info.json`` names the features, ``data/*/*.parquet`` has a row for each frame, ``meta/tasks.parquet`` (version 3)
or ``meta/tasks.jsonl`` (version 2) the text of each task. Videos and pictures are left out.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from gymnasium import spaces

from anyorder.data.importers.recording import Recording
from anyorder.envs.spaces import ACTION, OBSERVATION, leaves
from anyorder.errors import AnyOrderError
from anyorder.files import read_json, read_text
from anyorder.parsing import brief
from anyorder.terminal import tracked
from anyorder.types import FieldTrajectory

LEROBOT_VERSIONS = ("v2.", "v3.")
PICTURES = ("video", "image")
INDEXES = ("timestamp", "frame_index", "episode_index", "index", "task_index")
NEXT = {"next.reward": "rewards", "next.done": "terminations", "next.success": "success"}
"""Features of a frame that belong to its action."""


def read_lerobot(name: str, leave_out: Collection[str] = ()) -> Recording:
    """All episodes of a LeRobot data set.

    A frame has an observation and the action that was taken there, so the observation after the last action was not recorded.
    ``observation.state`` becomes the path ``state``, ``action`` the action; the episode's task is its mission.

    Args:
        name: folder of the data set.
        leave_out: paths that are not read.

    Raises:
        AnyOrderError: when the folder holds no such data set, or a damaged one.
    """
    folder = Path(name)
    info = read_json(folder / "meta" / "info.json")
    version = info.get("codebase_version") if isinstance(info, dict) else None
    if not isinstance(version, str) or not version.startswith(LEROBOT_VERSIONS):
        raise AnyOrderError(f"{folder} must be a LeRobot data set of version 2 or 3; found {brief(version)}; convert it")
    try:
        return _read(folder, info, leave_out)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, pa.ArrowException) as error:
        raise AnyOrderError(f"{folder} is no whole LeRobot data set ({brief(error)}); get it anew") from None


def _read(folder: Path, info: Mapping[str, Any], leave_out: Collection[str]) -> Recording:
    features: Mapping[str, Mapping[str, Any]] = info["features"]
    pictures = sorted(key for key, one in features.items() if one["dtype"] in PICTURES)
    used = {key: one for key, one in features.items() if key not in (*pictures, *INDEXES, *NEXT)}
    observed = {key: _leaf(one) for key, one in used.items() if key != ACTION and not key.startswith(f"{ACTION}.")}
    acted = {key: _leaf(one) for key, one in used.items() if key not in observed}
    observation_space = spaces.Dict([(key.removeprefix("observation."), leaf) for key, leaf in observed.items()])
    names = [(key.removeprefix(f"{ACTION}."), leaf) for key, leaf in acted.items()]
    action_space = acted[ACTION] if list(acted) == [ACTION] else spaces.Dict(names)
    paths = dict(zip(observed, leaves(observation_space, OBSERVATION))) | dict(zip(acted, leaves(action_space, ACTION)))
    paths = {key: path for key, path in paths.items() if path not in leave_out}
    tasks = _tasks(folder)
    called = f"lerobot:{folder.name}"
    trajectories = []
    for number, rows in tracked(_episodes(folder, [*paths, *INDEXES[1:3], "task_index", *NEXT]), called):
        arrays = {path: _array(used[key], rows[key]) for key, path in paths.items()}
        trajectories.append(_trajectory(called, number, arrays, rows, tasks, set(leaves(observation_space, OBSERVATION))))
    notes = [f"the videos and pictures {', '.join(pictures)} are left out"] if pictures else []
    notes.append("no frame follows the last action of an episode, so the observation there counts as not recorded")
    groups = [f"episode {one.seed}" for one in trajectories]
    return Recording(
        *(called, called, observation_space, action_space, trajectories, groups),
        notes=tuple(notes),
    )


def _leaf(feature: Mapping[str, Any]) -> spaces.Space[Any]:
    shape, dtype = tuple(feature["shape"]), feature["dtype"]
    if dtype == "string":
        return spaces.Text(10_000, min_length=0)
    shape = () if shape == (1,) and np.dtype(dtype).kind in "biu" else shape
    if dtype == "bool":
        return spaces.MultiBinary(shape) if shape else spaces.Discrete(2)
    if np.dtype(dtype).kind in "iu":
        bounds = np.iinfo(dtype)
        return spaces.Box(bounds.min, bounds.max, shape, np.dtype(dtype).type)
    return spaces.Box(-np.inf, np.inf, shape, np.dtype(dtype).type)


def _tasks(folder: Path) -> dict[int, str]:
    """Number of a task -> its text."""
    if (folder / "meta" / "tasks.parquet").is_file():
        table = pq.read_table(folder / "meta" / "tasks.parquet")
        (text,) = [name for name in table.column_names if name != "task_index"]  # the index of a data frame, however named
        return dict(zip(table["task_index"].to_pylist(), table[text].to_pylist()))
    if (folder / "meta" / "tasks.jsonl").is_file():
        lines = [json.loads(line) for line in read_text(folder / "meta" / "tasks.jsonl").splitlines() if line.strip()]
        return {line["task_index"]: line["task"] for line in lines}
    return {}


def _episodes(folder: Path, wanted: Sequence[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Number of an episode and column -> its values by frame, of each episode by number."""
    files = sorted((folder / "data").glob("*/*.parquet"))
    if not files:
        raise ValueError("it must have data/*/*.parquet; found none")
    parts: dict[int, list[pa.Table]] = defaultdict(list)
    for file in files:
        table = pq.read_table(file)
        table = table.select([name for name in dict.fromkeys(wanted) if name in table.column_names])
        table = table.sort_by([("episode_index", "ascending"), ("frame_index", "ascending")])
        numbers, first = np.unique(table["episode_index"].to_numpy(), return_index=True)
        for number, start, end in zip(numbers.tolist(), first.tolist(), [*first.tolist()[1:], len(table)]):
            parts[number].append(table.slice(start, end - start))
    for number in sorted(parts):
        whole = pa.concat_tables(parts[number]).sort_by("frame_index")
        if whole["frame_index"].to_pylist() != list(range(len(whole))):
            raise ValueError(f"episode {number} must have frames from 0 on, each once")
        yield number, {name: whole[name] for name in whole.column_names}


def _array(feature: Mapping[str, Any], column: pa.ChunkedArray) -> np.ndarray:
    """``[T, ...]`` of a feature."""
    if feature["dtype"] == "string":
        return np.array(column.to_pylist())
    leaf = _leaf(feature)
    array = np.array(column.to_pylist(), leaf.dtype if feature["dtype"] != "bool" else np.bool_)
    return array.reshape(len(column), *(leaf.shape or ())).astype(leaf.dtype)


def _trajectory(
    called: str,
    number: int,
    arrays: Mapping[str, np.ndarray],
    rows: Mapping[str, pa.ChunkedArray],
    tasks: Mapping[int, str],
    observed: Collection[str],
) -> FieldTrajectory:
    length = len(rows["frame_index"])
    observations, actions, absent = {}, {}, {}
    for path, array in arrays.items():
        if path in observed:
            observations[path] = np.concatenate([array, array[-1:]])
            absent[path] = np.zeros(observations[path].shape, np.bool_)
            absent[path][-1] = True
        else:
            actions[path] = array
    after = {ours: np.array(rows[name].to_pylist()).reshape(-1) for name, ours in NEXT.items() if name in rows}
    terminations = after.get("terminations", np.zeros(length)).astype(np.bool_)
    truncations = np.zeros(length, np.bool_)
    truncations[-1] = not terminations[-1]
    told = rows["task_index"][0].as_py() if "task_index" in rows else None
    return FieldTrajectory(
        called,
        number,
        observations,
        actions,
        after.get("rewards", np.zeros(length)).astype(np.float64),
        terminations,
        truncations,
        mission=str(tasks.get(told, "")) if told is not None else "",
        success=bool(after["success"].any()) if "success" in after else None,
        absent=absent,
    )
