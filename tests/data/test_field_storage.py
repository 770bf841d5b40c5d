"""Trajectories of any environment are read back bit for bit; what is damaged or foreign is refused in one sentence."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st
from random_spaces import assert_equal_bits, random_episode, random_space

from anyorder.config import SpecConfig
from anyorder.data.field_storage import (
    FIELD_SCHEMA,
    read_field_shard,
    read_field_split,
    spaces_of,
    spaces_to_json,
    with_spec,
    write_field_shard,
)
from anyorder.data.manifest import MANIFEST, Manifest, Split, read_manifest, write_manifest
from anyorder.data.storage import read_split
from anyorder.elements.fitting import fit_spec
from anyorder.envs.spaces import space_from_json, space_to_json
from anyorder.errors import AnyOrderError
from anyorder.files import sha256
from anyorder.types import FieldTrajectory

OBSERVATIONS = spaces.Dict(joints=spaces.Box(-np.inf, np.inf, (3,)), gripper=spaces.Discrete(2), hint=spaces.Text(9))
ACTIONS = spaces.Box(-1, 1, (2,))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_random_trajectories_of_random_spaces_come_back_bit_for_bit(tmp_path_factory, seed):
    rng = np.random.default_rng(seed)
    observation_space, action_space = random_space(rng), random_space(rng)
    assert space_from_json(json.loads(json.dumps(space_to_json(observation_space)))) == observation_space
    folder = tmp_path_factory.mktemp("shard")
    written = [random_episode(rng, observation_space, action_space, number) for number in range(rng.integers(1, 4))]
    shard = write_field_shard(folder / "a.parquet", range(5), written)
    assert shard.num_episodes == len(written) and shard.num_steps == sum(map(len, written))
    for ours, theirs in zip(written, read_field_shard(folder, shard), strict=True):
        assert_equal_bits(ours, theirs)
    again = [
        FieldTrajectory(**{name: getattr(one, name) for name in one.__dataclass_fields__} | {"infos": dict(one.infos)})
        for one in written
    ]
    assert write_field_shard(folder / "b.parquet", range(5), again).sha256 == shard.sha256


def test_nan_payloads_and_signs_survive(tmp_path):
    odd = np.array([0x7FF8000000000001, 0xFFF8DEADBEEF0000, 0x8000000000000000], np.uint64).view(np.float64)
    ends = np.array([False, False, True])
    one = FieldTrajectory("A", 0, {"observation": np.arange(4, dtype=">i2")}, {"action": odd.copy()}, odd, ends, ~ends & False)
    shard = write_field_shard(tmp_path / "a.parquet", range(1), [one])
    (read,) = read_field_shard(tmp_path, shard)
    assert_equal_bits(one, read)
    assert read.observations["observation"].dtype.str == ">i2"


def test_what_cannot_be_stored_is_refused(tmp_path):
    ends = np.array([True])
    odd = FieldTrajectory("A", 0, {"observation": np.array([{}, {}])}, {}, np.zeros(1), ends, ~ends)
    with pytest.raises(AnyOrderError, match="observation of observations must be an array of numbers.*found object"):
        write_field_shard(tmp_path / "a.parquet", range(1), [odd])
    assert not (tmp_path / "a.parquet").exists()


def make_episodes(number, seed=0):
    rng = np.random.default_rng(seed)
    return [random_episode(rng, OBSERVATIONS, ACTIONS, n) for n in range(number)]


@pytest.fixture
def folder(tmp_path):
    """A data set of six episodes."""
    root = tmp_path / "data"
    shard = write_field_shard(root / "train.parquet", range(6), make_episodes(6))
    split = Split(0, 5, (shard,))
    made = Manifest("Random-v0", {}, {"train": split}, content="fields", spaces=spaces_to_json(OBSERVATIONS, ACTIONS))
    write_manifest(root, made)
    return root


def test_a_manifest_holds_spaces_and_spec(folder):
    manifest = with_spec(folder, SpecConfig(observation_bins=8))
    assert manifest.fields == fit_spec(OBSERVATIONS, ACTIONS, make_episodes(6), SpecConfig(observation_bins=8))
    assert read_manifest(folder) == manifest
    assert spaces_of(manifest, folder) == (OBSERVATIONS, ACTIONS)
    assert len(read_field_split(folder, "train", 4)) == 4
    says = [one.success for one in make_episodes(6)]
    assert manifest.splits["train"].num_successes == says.count(True)
    with pytest.raises(AnyOrderError, match="must be one of grid; found one of fields"):
        read_split(folder, "train")
    with pytest.raises(AnyOrderError, match="no split 'test'.*--num_test of `anyorder collect` or --test of `anyorder import`"):
        read_field_split(folder, "test")


def test_no_success_is_counted_where_nothing_says(tmp_path):
    ends = np.array([True])
    one = FieldTrajectory("A", 0, {"observation": np.arange(2)}, {}, np.zeros(1), ends, ~ends)
    assert write_field_shard(tmp_path / "a.parquet", range(1), [one]).num_successes is None


def test_spaces_that_are_none_are_refused(folder):
    content = json.loads((folder / MANIFEST).read_text())
    for wrong in (None, {}, {"observation": {"type": "Graph"}, "action": {}}, {"observation": {"type": "Box"}, "action": 3}):
        (folder / MANIFEST).write_text(json.dumps(content | {"spaces": wrong}))
        with pytest.raises(AnyOrderError, match="must hold the observation and the action space; found others"):
            with_spec(folder)


def foreign(folder, change):
    """Exchange the shard for one whose rows are changed, as a program that knows the digest could."""
    rows = pq.read_table(folder / "train.parquet").to_pylist()
    change(rows[1])
    pq.write_table(pa.Table.from_pylist(rows, schema=FIELD_SCHEMA), folder / "train.parquet")
    content = json.loads((folder / MANIFEST).read_text())
    content["splits"]["train"]["shards"][0]["sha256"] = sha256(folder / "train.parquet")
    (folder / MANIFEST).write_text(json.dumps(content))


def set_array(name, value, number=0):
    return lambda row: row["arrays"][number].update({name: value})


@pytest.mark.parametrize(
    "change",
    [
        lambda row: row.update(env_id=None),
        lambda row: row.update(seed=None),
        lambda row: row.update(mission=None),
        lambda row: row.update(rewards=None),
        lambda row: row.update(rewards=[]),
        lambda row: row.update(rewards=[1.0] * 99),
        lambda row: row.update(terminations=[None] * len(row["terminations"])),
        lambda row: row.update(arrays=None),
        lambda row: row.update(arrays=[None]),
        set_array("path", None),
        set_array("role", "observation"),
        set_array("role", None),
        set_array("dtype", "|O"),
        set_array("dtype", "V8"),
        set_array("dtype", "i4,i4"),
        set_array("dtype", "nonsense"),
        set_array("dtype", None),
        set_array("shape", [-1]),
        set_array("shape", [2**62, 2**62]),
        set_array("shape", []),
        set_array("shape", [None]),
        set_array("shape", None),
        set_array("data", b"x"),
        set_array("data", None),
        lambda row: next(one for one in row["arrays"] if one["path"] == "hint").update(
            data=b"\xff" * len(next(one for one in row["arrays"] if one["path"] == "hint")["data"])
        ),
        lambda row: row["arrays"].append(
            {"role": "absent", "path": "gripper", "dtype": "|b1", "shape": [len(row["rewards"]) + 1]}
            | {"data": b"\x02" * (len(row["rewards"]) + 1)}
        ),
    ],
)
def test_a_foreign_row_is_refused(folder, change):
    foreign(folder, change)
    with pytest.raises(AnyOrderError, match="train.parquet holds a row that is no trajectory"):
        read_field_split(folder, "train")


def test_a_damaged_shard_is_refused(folder):
    data = bytearray((folder / "train.parquet").read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "train.parquet").write_bytes(data)
    with pytest.raises(AnyOrderError, match="train.parquet is damaged.*collect or import the data anew"):
        read_field_split(folder, "train")
