"""Arrays of one's own become a data set: spaces follow from them, gaps are absent, mistakes are named."""

import numpy as np
import pytest
from gymnasium import spaces

from anyorder.build.runs import training_job
from anyorder.config import DataConfig, ElementModelConfig, RunConfig, SpecConfig
from anyorder.data.arrays import write_arrays
from anyorder.data.field_storage import read_field_split, spaces_of
from anyorder.data.importers.recording import Partition
from anyorder.data.manifest import read_manifest
from anyorder.elements.fields import EncodedFieldData
from anyorder.elements.fitting import fit_spec
from anyorder.elements.layout import Kind
from anyorder.elements.spec import Bins
from anyorder.errors import AnyOrderError
from anyorder.masking.order import imitate

ALL_IN_TRAINING = Partition(0, 0)


def episode(seed, num_actions=5):
    rng = np.random.default_rng(seed)
    return {
        "observations": {
            "joints": rng.normal(size=(num_actions + 1, 3)).astype(np.float32),
            "door": rng.integers(0, 2, num_actions + 1).astype(bool),
            "tiles": rng.integers(0, 9, (num_actions + 1, 4)),
            "said": rng.choice(["", "yes", "nö"], num_actions + 1),
        },
        "actions": (rng.normal(size=(num_actions, 2)), rng.integers(-2, 3, num_actions)),
        "rewards": rng.random(num_actions),
        "terminations": True,
        "mission": f"open door {seed % 2}",
        "success": seed % 2 == 0,
    }


def test_spaces_follow_from_arrays(tmp_path):
    given = [episode(seed) for seed in range(60)]
    manifest = write_arrays(tmp_path / "data", given, partition=Partition(0.2, 0.2, seed=3))
    assert manifest.content == "fields" and manifest == read_manifest(tmp_path / "data")
    assert (
        set(manifest.splits) == {"train", "validation", "test"} and sum(s.num_episodes for s in manifest.splits.values()) == 60
    )
    observation_space, action_space = spaces_of(manifest, tmp_path)
    assert observation_space["joints"] == spaces.Box(-np.inf, np.inf, (3,)) and observation_space["door"] == spaces.Discrete(2)
    assert observation_space["tiles"] == spaces.Box(0, 8, (4,), np.int64) and set(observation_space["said"].characters) == set(
        "yesnö"
    )
    assert action_space == spaces.Tuple([spaces.Box(-np.inf, np.inf, (2,), np.float64), spaces.Discrete(5, start=-2)])
    train = read_field_split(tmp_path / "data", "train")
    assert manifest.fields == fit_spec(observation_space, action_space, train)
    one = train[0]
    before = given[one.seed]
    assert (one.observations["joints"] == before["observations"]["joints"]).all() and one.observations["door"].dtype == np.int64
    assert (one.actions["action/0"] == before["actions"][0]).all() and one.observations["said"].tolist() == before[
        "observations"
    ]["said"].tolist()
    assert one.mission == before["mission"] and one.success is before["success"]
    assert one.terminations.tolist() == [False] * 4 + [True] and not one.truncations.any()


def test_the_same_arrays_make_the_same_bytes(tmp_path):
    for name in "ab":
        write_arrays(tmp_path / name, [episode(seed) for seed in range(5)])
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_films_have_no_actions(tmp_path):
    films = [{"observations": episode(seed)["observations"]["joints"]} for seed in range(4)]
    manifest = write_arrays(tmp_path / "films", films, partition=ALL_IN_TRAINING)
    (first, *_) = read_field_split(tmp_path / "films", "train")
    assert len(first) == 5 and first.actions == {} and first.truncations[-1] and first.success is None
    assert not manifest.fields.of_kind("action") and manifest.splits["train"].num_successes is None


def test_some_actions_are_absent(tmp_path):
    given = [episode(seed) for seed in range(4)]
    given[1].pop("actions")
    given[3]["actions"] = None
    manifest = write_arrays(tmp_path / "data", given, partition=ALL_IN_TRAINING)
    whole, film, *_ = read_field_split(tmp_path / "data", "train")
    assert film.absent["action/0"].all() and "action/0" not in whole.absent
    (torque, _, _) = manifest.fields.of_kind("action")
    recorded = np.concatenate([given[0]["actions"][0], given[2]["actions"][0]])[:, 0]
    assert isinstance(torque.values, Bins) and torque.values.mean == pytest.approx(recorded.mean())
    layout = EncodedFieldData([whole, film], manifest.fields).batch([0, 1]).layout
    assert layout.of_kind(Kind.ACTION)[0].any() and not layout.of_kind(Kind.ACTION)[1].any()
    assert not imitate(layout).targets[1].any()


def test_an_end_that_was_not_seen_is_absent(tmp_path):
    given = {"observations": np.arange(8.0).reshape(4, 2) ** 2, "actions": np.arange(4)}
    other = {"observations": np.arange(8.0).reshape(4, 2), "actions": np.arange(4)[::-1]}
    manifest = write_arrays(tmp_path / "data", [given, other], partition=ALL_IN_TRAINING)
    one, _ = read_field_split(tmp_path / "data", "train")
    assert one.observations["observation"].shape == (5, 2) and one.absent["observation"].sum() == 2
    assert one.absent["observation"][-1].all()
    layout = EncodedFieldData([one], manifest.fields).batch([0]).layout
    last = layout.step == 4
    assert last.any() and not layout.present[last].any()


def test_settings_and_given_spaces_are_heeded(tmp_path):
    space = spaces.Box(-1, 1, (2,), np.float32)
    given = [{"observations": np.random.default_rng(n).normal(size=(4, 2)), "actions": [0, 1, 2]} for n in range(3)]
    manifest = write_arrays(
        tmp_path / "data", given, space, spaces.Discrete(7), config=SpecConfig(observation_bins=8), env_id="Mine-v0"
    )
    assert manifest.env_id == "Mine-v0" and len(manifest.fields.of_kind("observation")[0].values) == 8
    assert read_field_split(tmp_path / "data", "train")[0].observations["observation"].dtype == np.float32
    with pytest.raises(AnyOrderError, match="holds a data set already"):
        write_arrays(tmp_path / "data", given)


FINE = {"observations": np.arange(4), "actions": np.arange(3)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"observation": 1}, "episode 1 must have keys among observations, .*found 'observation'"),
        ({"observations": np.zeros((4, 2))}, "observation must have one shape at all steps of all episodes"),
        ({"observations": {"a": np.zeros(4)}}, "episode 1|one shape|keys"),
        (
            {"observations": np.arange(9)},
            r"episode 1: observation must have 4 entries \(T actions, T\+1 observations\); found 9",
        ),
        ({"observations": np.array([None] * 4)}, "observation must be numbers, truth values or .*texts"),
        ({"rewards": np.zeros(2)}, "episode 1: rewards must be 3 numbers, one for each action; found 2"),
        ({"terminations": np.zeros(5)}, "episode 1: terminations must be bool"),
        ({"absent": {"nothing": np.zeros(3)}}, "episode 1: what is absent must be bool in the shape of a recorded path"),
        ({"infos": {"a": np.array([{}])}}, "a of infos must be an array of numbers"),
        ({"seed": "x"}, "episode 1: invalid literal"),
        ({"actions": []}, "episode 1|numbers"),
    ],
)
def test_mistakes_are_named(tmp_path, change, message):
    with pytest.raises(AnyOrderError, match=message):
        write_arrays(tmp_path / "data", [FINE, {**FINE, **change}])
    assert not list(tmp_path.rglob("*.parquet")) and not list(tmp_path.rglob("manifest.json"))


@pytest.mark.parametrize(
    ("observations", "message"),
    [
        (np.array([0, 1, 2, 9]), "observation must lie in Discrete.*found 9 at step 3"),
        (np.array([0, 1, 2, 0.5]), "must be int64; found float64 values that this cannot hold"),
        (np.zeros((4, 1), int), r"must be int64 \[\] at each step; found int64 \[1\]"),
        (np.array(["a"] * 4), r"must be int64 \[\] at each step; found <U1"),
        ({"a": np.zeros(4)}, "episode 0"),
    ],
)
def test_values_must_lie_in_a_given_space(tmp_path, observations, message):
    with pytest.raises(AnyOrderError, match=message):
        write_arrays(tmp_path / "data", [{**FINE, "observations": observations}], spaces.Discrete(4))


def test_nothing_is_no_data_set(tmp_path):
    with pytest.raises(AnyOrderError, match="at least one episode; found none"):
        write_arrays(tmp_path / "data", [])
    with pytest.raises(AnyOrderError, match="must have observations; found nothing"):
        write_arrays(tmp_path / "data", [{}])


def test_training_heeds_the_settings_of_the_data_unless_it_has_its_own(tmp_path):
    folder = tmp_path / "data"
    settings = SpecConfig(observation_bins=8, leave_out=["tiles"])
    manifest = write_arrays(folder, [episode(seed) for seed in range(8)], config=settings, partition=ALL_IN_TRAINING)
    assert read_manifest(folder).field_settings == settings and manifest.fields.left_out["tiles"] == "as asked for"
    small = ElementModelConfig(width=16, num_layers=1, num_heads=2)
    for config, expected in ((SpecConfig(), manifest.fields), (SpecConfig(observation_bins=4), None)):
        asked = RunConfig(data=DataConfig(path=str(folder), fields=config), element_model=small)
        spec = training_job(asked, tmp_path / "run", False).model.spec
        assert expected in (None, spec) and len(spec.of_kind("observation")[0].values) == (4 if expected is None else 8)
