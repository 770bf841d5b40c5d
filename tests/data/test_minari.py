"""Minari's data sets come in as they were recorded, and what goes out comes back bit for bit."""

import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st
from random_spaces import assert_equal_bits, random_episode, random_space

from anyorder.data.arrays import write_arrays
from anyorder.data.exporters.minari_sets import export_minari
from anyorder.data.field_storage import read_field_split, spaces_of, spaces_to_json, write_field_shard
from anyorder.data.importers.minari_sets import read_minari
from anyorder.data.importers.recording import Partition, import_recording
from anyorder.data.manifest import Manifest, Split, read_manifest, write_manifest
from anyorder.data.storage import read_split
from anyorder.envs import minigrid
from anyorder.errors import AnyOrderError
from anyorder.types import FieldTrajectory

pytest.importorskip("minari", reason="Minari needs Python 3.11; `pip install 'anyorder[minari]'`")
pytest.importorskip("h5py", reason="`pip install 'anyorder[minari]'`")
RECORDINGS = Path(__file__).parent / "recordings"
TEN_SPACES = {
    "discrete": spaces.Discrete(5, start=2),
    "multi_discrete": spaces.MultiDiscrete([[3, 4], [2, 9]]),
    "multi_binary": spaces.MultiBinary(6),
    "box_of_floats": spaces.Box(-np.inf, np.inf, (3,)),
    "box_of_doubles": spaces.Box(-1, 1, (2, 2), np.float64),
    "picture": spaces.Box(0, 255, (40, 40, 3), np.uint8),
    "scalar": spaces.Box(-2, 2, (), np.float32),
    "text": spaces.Text(9, min_length=0, charset="abc ß漢"),
    "tuple": spaces.Tuple([spaces.Discrete(2), spaces.Box(0, 9, (2,), np.int16)]),
    "dict": spaces.Dict(
        {"a/b": spaces.Text(3), "arm": spaces.Dict(joint=spaces.Box(-1, 1, (2,)), on=spaces.MultiBinary([2, 2]))}
    ),
}


@pytest.fixture(autouse=True)
def minari_root(tmp_path_factory, monkeypatch):
    root = tmp_path_factory.mktemp("minari")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(root))
    return root


@pytest.fixture
def recorded(tmp_path):
    """``recorded(name)``: the folder of a recording."""

    def unpack(name):
        with zipfile.ZipFile(RECORDINGS / f"{name}.zip") as archive:
            archive.extractall(tmp_path / name)
        return tmp_path / name

    return unpack


def stored(folder, observation_space, action_space, splits):
    """A finished data set of these episodes."""
    written = {}
    for first, (name, episodes) in zip((0, 10_000_000), splits.items()):
        numbers = range(first, first + len(episodes))
        written[name] = Split(numbers[0], numbers[-1], (write_field_shard(folder / f"{name}.parquet", numbers, episodes),))
    kept = spaces_to_json(observation_space, action_space)
    write_manifest(folder, Manifest("Random-v0", {}, written, content="fields", spaces=kept))
    return folder


def assert_round_trip(tmp_path, observation_space, action_space, episodes, name="round/trip-v0"):
    splits = {"train": episodes[:-1], "validation": episodes[-1:]} if len(episodes) > 1 else {"train": episodes}
    export_minari(stored(tmp_path / "before", observation_space, action_space, splits), name)
    back = read_minari(name)
    assert (back.observation_space, back.action_space) == (observation_space, action_space)
    assert list(back.splits) == [split for split, found in splits.items() for _ in found]
    for ours, theirs in zip(episodes, back.trajectories, strict=True):
        assert_equal_bits(ours, theirs)


@pytest.mark.parametrize("kind", TEN_SPACES)
def test_ten_spaces_come_back_bit_for_bit(tmp_path, kind):
    rng = np.random.default_rng(7)
    space = TEN_SPACES[kind]
    for place, (observation_space, action_space) in enumerate(((space, spaces.Discrete(3)), (spaces.Discrete(3), space))):
        episodes = [random_episode(rng, observation_space, action_space, n) for n in range(3)]
        assert_round_trip(tmp_path / str(place), observation_space, action_space, episodes, f"round/trip-v{place}")


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_random_trajectories_of_random_spaces_go_out_and_come_back(tmp_path_factory, seed):
    rng = np.random.default_rng(seed)
    observation_space, action_space = random_space(rng, empty=False), random_space(rng, empty=False)
    episodes = [random_episode(rng, observation_space, action_space, n) for n in range(rng.integers(1, 4))]
    assert_round_trip(tmp_path_factory.mktemp("trip"), observation_space, action_space, episodes, f"trip/number-v{seed}")


def test_minari_itself_reads_what_went_out(tmp_path):
    import minari

    space = TEN_SPACES["dict"]
    episodes = [random_episode(np.random.default_rng(n), space, spaces.Discrete(3), n) for n in range(2)]
    export_minari(stored(tmp_path / "data", space, spaces.Discrete(3), {"train": episodes}), "round/trip-v0")
    found = minari.load_dataset("round/trip-v0")
    assert found.total_episodes == 2 and found.total_steps == sum(map(len, episodes))
    for ours, theirs in zip(episodes, found.iterate_episodes(), strict=True):
        assert theirs.observations["arm"]["joint"].tobytes() == ours.observations["arm/joint"].tobytes()
        assert theirs.observations["a~1b"] == ours.observations["a~1b"].tolist()
        assert (theirs.rewards == ours.rewards).all() and (theirs.actions == ours.actions["action"]).all()


def test_what_was_never_recorded_stays_so(tmp_path):
    ends = np.array([False, True])
    space = spaces.Dict(a=spaces.Box(-1, 1, (2,)), b=spaces.Text(4), c=spaces.Discrete(3))
    film = FieldTrajectory("A", -3, {"c": np.array([0, 1, 2])}, {}, np.zeros(2), ends, ~ends & False, success=True)
    assert_round_trip(tmp_path, space, spaces.MultiBinary(3), [film])


@pytest.mark.parametrize("name", ["babyai_text", "babyai_missions"])
def test_recordings_of_minigrid_become_grids(tmp_path, recorded, name):
    recording = read_minari(str(recorded(name)))
    manifest = import_recording(recording, tmp_path / "data", Partition(0.2, 0.2))
    assert manifest.content == "grid" and manifest.env_id == "BabyAI-GoToRedBall-v0" and set(manifest.splits) >= {"train"}
    grids = [grid for split in manifest.splits for grid in read_split(tmp_path / "data", split)]
    assert len(grids) == len(recording.trajectories) and all(
        grid.success and grid.mission.endswith("red ball") for grid in grids
    )
    if name == "babyai_missions":  # its seeds were drawn with 64 bits
        assert any(grid.seed < 0 for grid in grids) and any(grid.seed > 2**40 for grid in grids)
    env = minigrid.make_env("BabyAI-GoToRedBall-v0")
    for grid in grids:  # the recorded seeds play the recorded episodes again
        view = minigrid.reset(env, grid.seed)
        assert (view.image == grid.observations[0]).all() and view.direction == grid.directions[0]


def test_grids_go_out_and_come_back(tmp_path, recorded):
    import_recording(read_minari(str(recorded("babyai_text"))), tmp_path / "data", Partition(0.2, 0.2))
    export_minari(tmp_path / "data", "grids/again-v0")
    manifest = import_recording(read_minari("grids/again-v0"), tmp_path / "back")
    before = read_manifest(tmp_path / "data")
    assert manifest.content == "grid"
    for name, split in before.splits.items():
        assert [shard.sha256 for shard in manifest.splits[name].shards] == [shard.sha256 for shard in split.shards]


def test_recordings_of_nested_spaces_become_fields(tmp_path, recorded):
    found = {}
    for name in ("arm_hdf5", "arm_arrow"):
        folder = recorded(name)
        manifest = import_recording(read_minari(str(folder), ["camera"]), tmp_path / f"data_{name}", Partition(0, 0))
        assert manifest.content == "fields" and manifest.fields is not None and "mission" in manifest.fields.names
        assert spaces_of(manifest, tmp_path)[0]["arm"][1] == spaces.Discrete(4, start=2)
        found[name] = read_field_split(tmp_path / f"data_{name}", "train")
    for ours, theirs in zip(found["arm_hdf5"], found["arm_arrow"], strict=True):
        assert_equal_bits(ours, replace(theirs, env_id=ours.env_id))
    lifts, puts = found["arm_hdf5"][::2], found["arm_hdf5"][1::2]
    assert {one.mission for one in lifts} == {"lift"} and all(one.success for one in lifts)
    assert all(one.terminations[-1] and not one.truncations.any() for one in lifts)
    assert {one.mission for one in puts} == {"put it down"} and not any(one.success for one in puts)
    assert all(one.truncations[-1] and not one.terminations.any() for one in puts)
    assert lifts[0].actions["action/torque"].dtype == np.float32 and "camera" not in lifts[0].observations
    assert set(lifts[0].infos) == {"success", "energy"} and lifts[0].infos["energy"].shape == (len(lifts[0]) + 1, 2)


def test_pictures_in_jpeg_are_refused(recorded):
    with pytest.raises(AnyOrderError, match=r"camera must be exact; found pictures that Minari stored as JPEG.*leave_out"):
        read_minari(str(recorded("arm_hdf5")))
    assert read_minari(str(recorded("arm_arrow"))).trajectories[0].observations["camera"].shape[1:] == (40, 40, 3)


def test_episodes_of_one_seed_share_a_split(tmp_path):
    episodes = [{"observations": np.arange(4) + n, "actions": np.zeros(3, int), "seed": n % 5} for n in range(40)]
    manifest = write_arrays(tmp_path / "data", episodes, partition=Partition(0.3, 0.3))
    seeds = [{one.seed for one in read_field_split(tmp_path / "data", name)} for name in manifest.splits]
    assert len(seeds) > 1 and sum(map(len, seeds)) == len(set.union(*seeds)) == 5


def edited(folder, **changes):
    path = folder / "data" / "metadata.json"
    content = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({name: value for name, value in content.items() if value is not None}))


GRAPH = json.dumps({"type": "Dict", "subspaces": {"net": {"type": "Graph"}}})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"observation_space": GRAPH}, "observation/net must be made of Box, .*; found Graph; record"),
        ({"observation_space": json.dumps({"type": "Sequence"})}, "observation must be made of .*found Sequence"),
        ({"action_space": json.dumps({"type": "OneOf"})}, "action must be made of .*found OneOf"),
        ({"action_space": None}, "must hold the action space; found none"),
        ({"action_space": "{"}, "must hold the action space as JSON"),
        ({"action_space": json.dumps({"type": "Discrete"})}, "no data set that Minari can read"),
        (
            {"action_space": json.dumps({"type": "Box", "shape": [3], "dtype": "float32", "low": [0] * 3, "high": [1] * 3})},
            "episode 0",
        ),
        ({"data_format": "zarr"}, "no data set that Minari can read"),
        ({"data_format": "arrow"}, "episode 0 .* cannot be read"),
        ({"total_episodes": 99}, "episode 20 .* cannot be read"),
        ({"anyorder": {"env_id": "A"}}, "content must be text; found nothing"),
        ({"anyorder": {"env_id": "A", "content": "grid", "spaces": {}}}, "must hold spaces"),
    ],
)
def test_damaged_data_sets_are_refused(recorded, changes, message):
    folder = recorded("babyai_text")
    edited(folder, **changes)
    with pytest.raises(AnyOrderError, match=message):
        read_minari(str(folder))


def test_a_damaged_file_is_refused(recorded):
    folder = recorded("babyai_text")
    path = folder / "data" / "main_data.hdf5"
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(AnyOrderError, match=r"cannot be read|Minari can read"):
        read_minari(str(folder))
    (folder / "data" / "metadata.json").write_text("[]")
    with pytest.raises(AnyOrderError, match="metadata.json is damaged or of another version"):
        read_minari(str(folder))


def test_what_is_not_there_is_named():
    with pytest.raises(AnyOrderError, match="no data set of Minari named a/b-v0 .*minari download a/b-v0"):
        read_minari("a/b-v0")


def test_exports_refuse_what_they_cannot_hold(tmp_path, minari_root):
    ends = np.array([True])
    texts = {"observation": np.array(["a\0b", "c"])}
    one = FieldTrajectory("A", 0, texts, {"action": np.zeros(1, np.int64)}, np.zeros(1), ends, ~ends)
    folder = stored(tmp_path / "data", spaces.Text(3, charset="abc\0"), spaces.Discrete(2), {"train": [one]})
    with pytest.raises(AnyOrderError, match=r"Minari (cannot hold|must give back)"):
        export_minari(folder, "aa/nul-v0")
    assert not (minari_root / "aa" / "nul-v0").exists()
    with pytest.raises(AnyOrderError, match="the name must be one like namespace/name-v0 .*; found"):
        export_minari(folder, "no version")
    shutil.rmtree(folder)
    with pytest.raises(AnyOrderError, match="no data set"):
        export_minari(folder, "aa/b-v0")
