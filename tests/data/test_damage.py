"""What is lost is absent, as often as was said, and nothing of it is left; what is made from a data set is made once."""

import json
from dataclasses import replace

import numpy as np
import pytest
from cartpole import cartpole_data

from anyorder.build.collecting import CollectOptions, run_collect
from anyorder.cli import main
from anyorder.data import rewriting
from anyorder.data.collect import CollectSpec, collect
from anyorder.data.damage import Damage
from anyorder.data.field_storage import read_field_split
from anyorder.data.manifest import MANIFEST, read_manifest
from anyorder.data.storage import read_split
from anyorder.errors import AnyOrderError
from anyorder.types import FieldTrajectory, as_recorded


@pytest.fixture
def recorded(make_trajectory, tmp_path):
    """A data set of 6 training and 2 validation episodes."""
    folder = tmp_path / "recorded"
    collect(folder, CollectSpec("toy", "toy", 6, 2, 0), source=lambda seeds: [make_trajectory(9, seed=s) for s in seeds])
    return folder


def shares(episodes):
    """Share of the values that are absent, by array."""
    names = ("observations", "directions", "actions")
    lost = {name: np.concatenate([one.absent.get(name, np.zeros(1, bool)).ravel() for one in episodes]) for name in names}
    return {name: float(where.mean()) for name, where in lost.items()}


@pytest.mark.parametrize(
    ("without", "expected"),
    [
        ("actions", {"observations": 0.0, "directions": 0.0, "actions": 1.0}),
        ({"actions": 0.25}, {"observations": 0.0, "directions": 0.0, "actions": 0.25}),
        ({"cells": 0.3}, {"observations": 0.3, "directions": 0.3, "actions": 0.0}),
        ({"frames": 0.2, "cells": 0.5}, {"observations": 0.6, "directions": 0.6, "actions": 0.0}),
    ],
)
def test_as_much_is_lost_as_was_said(make_trajectory, without, expected):
    whole = [make_trajectory(39, seed=seed) for seed in range(60)]
    lost = [Damage.of(without)(one) for one in whole]
    assert shares(lost) == pytest.approx(expected, abs=0.03)
    for before, after in zip(whole, lost):
        for name, where in after.absent.items():
            assert not getattr(after, name)[where].any(), "nothing of the truth is left"
            assert np.array_equal(getattr(after, name)[~where], getattr(before, name)[~where])
        if "observations" in after.absent:
            cells = after.absent["observations"]
            assert (cells == cells[..., :1]).all(), "a cell is lost with all of its attributes"
    again = Damage.of(without)(whole[0])
    assert all(np.array_equal(again.absent[name], lost[0].absent[name]) for name in again.absent), "the seed decides"


def test_damage_adds_up_and_takes_the_marks_of_what_was_filled_in(make_trajectory):
    whole = make_trajectory(30)
    sure = np.full(30, 0.9, np.float32)
    sure[:3] = 0
    half = Damage(actions=0.5)(replace(whole, filled={"actions": sure}))
    assert ((half.filled["actions"] > 0) == (~half.absent["actions"] & (sure > 0))).all()
    less = Damage(cells=0.5)(half)
    assert np.array_equal(less.absent["actions"], half.absent["actions"]) and less.absent["observations"].any()
    plain = as_recorded(half)
    assert plain.absent["actions"].tolist() == [n >= 3 or half.absent["actions"][n] for n in range(30)]
    assert not plain.filled and Damage(missions=1.0)(whole).mission == ""


def test_fields_lose_numbers_pixels_frames_actions_and_missions():
    length = 200
    text = np.array(["go"] * (length + 1))
    observations = {"arm": np.ones((length + 1, 3)), "board": np.ones((length + 1, 4, 4, 3), np.uint8), "mission": text}
    actions = {"action/a": np.ones((length, 2)), "action/b": np.ones(length, np.int64)}
    ends = np.zeros(length, bool)
    one = FieldTrajectory("A", 3, observations, actions, np.zeros(length), ends, ends, mission="go")
    lost = Damage(actions=0.3, cells=0.2, frames=0.1)(one)
    assert set(lost.absent) == {"arm", "board", "action/a", "action/b"}
    assert lost.absent["arm"].mean() == pytest.approx(0.28, abs=0.08)
    assert (lost.absent["board"] == lost.absent["board"][..., :1]).all()
    gone = lost.absent["arm"].all(axis=1) & lost.absent["board"].all(axis=(1, 2, 3))
    assert gone.mean() == pytest.approx(0.1, abs=0.05)
    assert np.array_equal(lost.absent["action/a"][:, 0], lost.absent["action/b"]), "an action is lost as a whole"
    assert not any({**lost.observations, **lost.actions}[path][where].any() for path, where in lost.absent.items())
    silent = Damage(missions=1.0)(one)
    assert silent.mission == "" and silent.absent["mission"].all() and (silent.observations["mission"] == "").all()


def test_a_recorded_set_loses_what_is_said_and_is_never_made_twice(recorded, tmp_path, capsys):
    folder = tmp_path / "films"
    options = ["collect", "--recorded", str(recorded), "--without", "actions", "--output_dir", str(folder)]
    main(options)
    assert "the episodes of" in capsys.readouterr().out
    assert shares(read_split(folder, "train") + read_split(folder, "validation"))["actions"] == 1
    manifest = read_manifest(folder)
    assert manifest.spec["without"] == {"actions": 1.0} and manifest.spec["policy"] == "toy"
    assert {name: split.num_episodes for name, split in manifest.splits.items()} == {"train": 6, "validation": 2}
    before = (folder / MANIFEST).stat().st_mtime_ns
    main(options)
    assert (folder / MANIFEST).stat().st_mtime_ns == before
    (folder / "train-00000000.parquet").unlink()
    main(options)
    assert read_manifest(folder) == manifest, "what is missing is made again, byte for byte"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--without", "sound"], "without must name actions, cells, frames, missions"),
        (["--without", "{cells: 1.3}"], "without.cells is the share that is lost, between 0 and 1; found 1.3"),
        (["--without", "actions", "--noise", "0.5"], "--noise does nothing"),
        ([], "needs to know what is lost"),
        (["--without", "actions", "--recorded", "nowhere"], "there is no data set in nowhere"),
    ],
)
def test_wrong_options_are_answered_in_a_sentence(recorded, tmp_path, options, message, capsys):
    with pytest.raises(SystemExit):
        main(["collect", "--recorded", str(recorded), "--output_dir", str(tmp_path / "new"), *options])
    assert message in capsys.readouterr().err and not (tmp_path / "new").exists()


def test_another_data_set_is_not_overwritten(recorded, tmp_path):
    options = CollectOptions(recorded=str(recorded), without="actions", output_dir=str(tmp_path / "new"))
    run_collect(options)
    with pytest.raises(AnyOrderError, match="holds another data set"):
        run_collect(replace(options, without={"cells": 0.5}))
    with pytest.raises(AnyOrderError, match="must have a folder of its own"):
        run_collect(replace(options, output_dir=str(recorded)))


def test_what_is_done_before_an_interruption_is_kept(recorded, tmp_path, monkeypatch):
    folder, done = tmp_path / "new", []

    def change(name, episodes, advance):
        if done:
            raise KeyboardInterrupt
        done.append(name)
        return list(episodes)

    with pytest.raises(KeyboardInterrupt, match="6 episodes are kept in .*run the same again to continue"):
        rewriting.rewrite(recorded, folder, {}, change, "copying")
    assert json.loads((folder / MANIFEST).read_text())["splits"]["train"]["num_episodes"] == 6
    done.clear()
    manifest = rewriting.rewrite(recorded, folder, {}, change, "copying")
    assert done == ["validation"] and manifest.complete


def test_episodes_lose_as_much_while_they_are_played(make_trajectory, recorded, tmp_path):
    played, later = tmp_path / "played", tmp_path / "later"
    spec = CollectSpec("toy", "toy", 6, 2, 0, without={"cells": 0.5})
    collect(played, spec, source=lambda seeds: [make_trajectory(9, seed=s) for s in seeds])
    run_collect(CollectOptions(recorded=str(recorded), without={"cells": 0.5}, output_dir=str(later)))
    files = [sorted(path.name for path in folder.glob("*.parquet")) for folder in (played, later)]
    assert files[0] == files[1] and all((played / name).read_bytes() == (later / name).read_bytes() for name in files[0])


def test_a_damaged_set_of_fields_has_a_spec(tmp_path):
    (tmp_path / "carts").mkdir()
    cartpole_data(tmp_path / "carts")
    run_collect(CollectOptions(recorded=str(tmp_path / "carts"), without={"cells": 0.3}, output_dir=str(tmp_path / "new")))
    assert read_manifest(tmp_path / "new").fields.names == read_manifest(tmp_path / "carts").fields.names
    assert any(one.absent for one in read_field_split(tmp_path / "new", "train"))
