"""LeRobot's data sets: states, actions and tasks are read; pictures are not."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from gymnasium import spaces

from anyorder.data.importers.lerobot import read_lerobot
from anyorder.data.importers.recording import Partition, import_recording
from anyorder.errors import AnyOrderError

TASKS = ["fold the shirt", "open the drawer"]


def features():
    scalar = {"shape": [1], "names": None}
    return {
        "observation.state": {"dtype": "float32", "shape": [3], "names": ["a", "b", "c"]},
        "observation.images.top": {"dtype": "video", "shape": [3, 96, 96], "names": None},
        "action": {"dtype": "float32", "shape": [2], "names": ["x", "y"]},
        "next.reward": {"dtype": "float32", **scalar},
        "next.done": {"dtype": "bool", **scalar},
        "next.success": {"dtype": "bool", **scalar},
        "gripper_open": {"dtype": "bool", **scalar},
        **{name: {"dtype": "int64", **scalar} for name in ("frame_index", "episode_index", "index", "task_index")},
        "timestamp": {"dtype": "float32", **scalar},
    }


def frames(episode, length, rng):
    last = np.arange(length) == length - 1
    return {
        "observation.state": rng.normal(size=(length, 3)).astype(np.float32).tolist(),
        "action": rng.normal(size=(length, 2)).astype(np.float32).tolist(),
        "next.reward": rng.random(length).astype(np.float32).tolist(),
        "next.done": last.tolist(),
        "next.success": (last & (episode % 2 == 0)).tolist(),
        "gripper_open": (rng.random(length) < 0.5).tolist(),
        "frame_index": list(range(length)),
        "episode_index": [episode] * length,
        "task_index": [episode % 2] * length,
    }


def write(folder, version, change=None):
    """A data set in the layout of a version; three episodes, two of them in one file in version 3."""
    rng = np.random.default_rng(0)
    episodes = [frames(n, 4 + n, rng) for n in range(3)]
    (folder / "meta").mkdir(parents=True)
    (folder / "data" / "chunk-000").mkdir(parents=True)
    info = {"codebase_version": version, "fps": 10, "features": features()} | (change or {})
    (folder / "meta" / "info.json").write_text(json.dumps(info))
    if version.startswith("v3"):
        both = {name: episodes[1][name] + episodes[0][name] for name in episodes[0]}
        for number, content in enumerate((both, episodes[2])):
            pq.write_table(pa.table(content), folder / "data" / "chunk-000" / f"file-{number:03d}.parquet")
        table = pa.table({"task_index": [1, 0], "__index_level_0__": TASKS[::-1]})
        pq.write_table(table, folder / "meta" / "tasks.parquet")
    else:
        for number, content in enumerate(episodes):
            pq.write_table(pa.table(content), folder / "data" / "chunk-000" / f"episode_{number:06d}.parquet")
        lines = [json.dumps({"task_index": number, "task": task}) for number, task in enumerate(TASKS)]
        (folder / "meta" / "tasks.jsonl").write_text("\n".join(lines))
    return episodes


@pytest.mark.parametrize("version", ["v3.0", "v2.1"])
def test_episodes_are_read(tmp_path, version):
    given = write(tmp_path / "robot", version)
    recording = read_lerobot(str(tmp_path / "robot"))
    assert [one.mission for one in recording.trajectories] == [TASKS[0], TASKS[1], TASKS[0]]
    assert [one.success for one in recording.trajectories] == [True, False, True]
    for before, one in zip(given, recording.trajectories, strict=True):
        assert len(one) == len(before["frame_index"])
        assert (one.observations["state"][:-1] == np.array(before["observation.state"], np.float32)).all()
        assert one.absent["state"][-1].all() and not one.absent["state"][:-1].any()
        assert (one.actions["action"] == np.array(before["action"], np.float32)).all()
        assert one.observations["gripper_open"][:-1].tolist() == [int(value) for value in before["gripper_open"]]
        assert one.rewards.tolist() == before["next.reward"] and one.terminations.tolist() == before["next.done"]
    assert recording.notes[0] == "the videos and pictures observation.images.top are left out"
    assert recording.action_space == spaces.Box(-np.inf, np.inf, (2,))
    manifest = import_recording(recording, tmp_path / "data", Partition(0, 0))
    assert {"mission", "state/0", "gripper_open", "action/1", "return"} <= set(manifest.fields.names)
    assert "gripper_open" not in read_lerobot(str(tmp_path / "robot"), ["gripper_open"]).trajectories[0].observations


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"codebase_version": "v1.6"}, "must be a LeRobot data set of version 2 or 3; found"),
        ({"codebase_version": None}, "must be a LeRobot data set of version 2 or 3; found None"),
        ({"features": None}, "is no whole LeRobot data set"),
        ({"features": {"observation.state": {"dtype": "float32", "shape": [5]}}}, "is no whole LeRobot data set"),
        ({"features": {"elsewhere": {"dtype": "float32", "shape": [5]}}}, "is no whole LeRobot data set"),
        ({"features": {"observation.state": {"dtype": "pickle", "shape": [5]}}}, "is no whole LeRobot data set"),
    ],
)
def test_other_folders_are_refused(tmp_path, change, message):
    write(tmp_path / "robot", "v3.0", change)
    with pytest.raises(AnyOrderError, match=message):
        read_lerobot(str(tmp_path / "robot"))


def test_lost_frames_are_refused(tmp_path):
    write(tmp_path / "robot", "v3.0")
    path = tmp_path / "robot" / "data" / "chunk-000" / "file-000.parquet"
    pq.write_table(pq.read_table(path).slice(1), path)
    with pytest.raises(AnyOrderError, match="episode 1 must have frames from 0 on, each once"):
        read_lerobot(str(tmp_path / "robot"))
    path.unlink()
    (tmp_path / "robot" / "data" / "chunk-000" / "file-001.parquet").write_bytes(b"PAR1")
    with pytest.raises(AnyOrderError, match="is no whole LeRobot data set"):
        read_lerobot(str(tmp_path / "robot"))
