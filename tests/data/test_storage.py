"""What is written is read back exactly; what is damaged is refused in one sentence."""

import errno
import json
import os
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anyorder.data.manifest import MANIFEST, Failure, Manifest, Split, read_manifest, write_manifest
from anyorder.data.storage import read_shard, read_split, write_shard
from anyorder.errors import AnyOrderError
from anyorder.types import Trajectory

FIELDS = tuple(Trajectory.__dataclass_fields__)


def make_trajectory(seed, num_actions=4, view=(5, 7, 3), mission="go to the red ball"):
    generator = np.random.default_rng(seed)
    return Trajectory(
        env_id="BabyAI-GoToRedBall-v0",
        seed=seed,
        mission=mission,
        observations=generator.integers([11, 6, 4], size=(num_actions + 1, *view), dtype=np.uint8),
        directions=generator.integers(4, size=num_actions + 1, dtype=np.uint8),
        actions=generator.integers(7, size=num_actions, dtype=np.uint8),
        rewards=generator.random(num_actions, dtype=np.float32) * 2 - 1,
        terminated=bool(seed % 2),
        truncated=not seed % 2,
    )


def assert_same(ours, theirs):
    for name in FIELDS:
        a, b = getattr(ours, name), getattr(theirs, name)
        assert type(a) is type(b), name
        assert np.array_equal(a, b) and getattr(a, "dtype", None) == getattr(b, "dtype", None), name


@pytest.fixture
def folder(tmp_path):
    """A data set of 3 training seeds, one of which failed."""
    root = tmp_path / "env=odd"  # a name that a partitioned reader would take for a column
    shard = write_shard(root / "train.parquet", range(3), [make_trajectory(0), make_trajectory(2, num_actions=1)])
    split = Split(0, 2, (shard,), (Failure(1, "time limit"),))
    write_manifest(root, Manifest("BabyAI-GoToRedBall-v0", {"policy": "bot", "noise": 0.1}, {"train": split}))
    return root


@settings(max_examples=25, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 9), max_size=5),
    size=st.sampled_from([3, 7, 11]),
    mission=st.text(st.characters(codec="utf-8"), max_size=30),
)
def test_round_trip_is_exact(tmp_path_factory, lengths, size, mission):
    folder = tmp_path_factory.mktemp("shard")
    written = [make_trajectory(s, length, (size, size, 3), mission) for s, length in enumerate(lengths)]
    shard = write_shard(folder / "s.parquet", range(7), written)
    assert (shard.num_episodes, shard.num_steps) == (len(lengths), sum(lengths))
    read = read_shard(folder, shard)
    assert len(read) == len(written)
    for ours, theirs in zip(written, read):
        assert_same(ours, theirs)


def test_what_is_absent_and_what_was_filled_in_come_back(tmp_path):
    whole = make_trajectory(0)
    lost = {"observations": whole.observations > 3, "actions": np.array([True, False, False, True])}
    sure = np.where(lost["actions"], 0, [0, 0.5, 0, 0]).astype(np.float32)
    gaps = replace(whole, absent=lost, filled={"actions": sure})
    assert write_shard(tmp_path / "a.parquet", range(1), [whole]).sha256 != write_shard(tmp_path / "b", range(1), [gaps]).sha256
    read = read_shard(tmp_path, write_shard(tmp_path / "c.parquet", range(2), [gaps, whole]))
    assert_same(read[1], whole)
    for name, array in gaps.absent.items():
        assert np.array_equal(read[0].absent[name], array) and not read[0].absent[name].flags.writeable
    assert np.array_equal(read[0].filled["actions"], sure) and read[0].filled["actions"].dtype == np.float32
    assert pickle.loads(pickle.dumps(read[0])).absent.keys() == lost.keys()


@pytest.mark.parametrize(
    ("gaps", "message"),
    [
        ({"absent": {"rewards": np.zeros(4, bool)}}, "absent must be bool in the shape of a recorded path; found 'rewards'"),
        ({"absent": {"actions": np.zeros(3, bool)}}, "absent must be bool"),
        ({"filled": {"actions": np.zeros(4)}}, "filled in must be float32"),
        ({"filled": {"actions": np.full(4, 1.5, np.float32)}}, "a probability of at most 1"),
        ({"filled": {"actions": np.ones(4, np.float32)}, "absent": {"actions": np.ones(4, bool)}}, "not be absent"),
    ],
)
def test_gaps_that_say_nothing_of_the_arrays_are_refused(gaps, message):
    with pytest.raises(ValueError, match=message):
        replace(make_trajectory(0), **gaps)


def test_the_manifest_is_typed_and_equal_after_a_round_trip(folder):
    manifest = read_manifest(folder)
    assert manifest.complete and manifest.splits["train"].failures == (Failure(1, "time limit"),)
    write_manifest(folder, manifest)
    assert read_manifest(folder) == manifest
    content = json.loads((folder / MANIFEST).read_text())
    assert content["format_version"] == 3 and content["splits"]["train"]["num_steps"] == 5
    assert set(content["versions"]) == {"anyorder", "minigrid", "gymnasium", "numpy"}


def test_an_older_manifest_is_read(folder):
    edit(folder, format_version=1)
    assert read_manifest(folder).content == "grid" and len(read_split(folder, "train")) == 2


def test_a_split_is_read_in_order_of_its_seeds(folder):
    assert [trajectory.seed for trajectory in read_split(folder, "train")] == [0, 2]


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (flip, "is damaged"),
        (lambda path: path.write_bytes(path.read_bytes()[:-100]), "is damaged"),
        (lambda path: path.write_bytes(b""), "is damaged"),
        (lambda path: path.unlink(), "is missing"),
    ],
)
def test_a_bad_shard_is_refused(folder, damage, message):
    damage(folder / "train.parquet")
    with pytest.raises(AnyOrderError, match=f"train.parquet {message}.*anyorder collect"):
        read_split(folder, "train")


def edit(folder, **changes):
    content = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(content | changes))


def test_an_unknown_version_names_the_known_ones(folder):
    edit(folder, format_version=99)
    with pytest.raises(AnyOrderError, match="format version 99; this anyorder knows 1, 2"):
        read_split(folder, "train")


@pytest.mark.parametrize("text", ["", "{", "[]", "\x00"])
def test_a_manifest_that_is_no_manifest_is_refused(folder, text):
    (folder / MANIFEST).write_text(text)
    with pytest.raises(AnyOrderError, match="manifest.json"):
        read_manifest(folder)


@pytest.mark.parametrize("splits", [None, [], {"train": {}}, {"train": {"shards": [{"file": "x"}], "failures": []}}])
def test_a_damaged_manifest_is_refused(folder, splits):
    edit(folder, splits=splits)
    with pytest.raises(AnyOrderError, match="manifest.json is damaged"):
        read_manifest(folder)


def test_missing_folder_and_split_say_what_to_do(folder):
    with pytest.raises(AnyOrderError, match="no data set in .*nowhere; make one with `anyorder collect"):
        read_split(folder / "nowhere", "train")
    with pytest.raises(AnyOrderError, match="no split 'validation'; it has train; .*--num_validation"):
        read_split(folder, "validation")


def test_other_columns_are_refused(folder):
    import pyarrow as pa
    import pyarrow.parquet as pq

    from anyorder.files import sha256

    pq.write_table(pa.table({"seed": [1]}), folder / "train.parquet")
    content = json.loads((folder / MANIFEST).read_text())
    content["splits"]["train"]["shards"][0]["sha256"] = sha256(folder / "train.parquet")
    (folder / MANIFEST).write_text(json.dumps(content))
    with pytest.raises(AnyOrderError, match="must have the columns of version 3; found others"):
        read_split(folder, "train")


def test_a_full_disk_leaves_the_old_file(folder, monkeypatch):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(AnyOrderError, match="No space left"):
        write_shard(folder / "train.parquet", range(1), [make_trajectory(9)])
    with pytest.raises(AnyOrderError, match="No space left"):
        write_manifest(folder, read_manifest(folder))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
