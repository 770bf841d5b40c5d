"""``anyorder fill``: a data set is completed, once, and the table says how sure and how right the model was."""

import json

import numpy as np
import pytest
from cartpole import cartpole_data, cartpole_run

from anyorder.build import filling
from anyorder.build.collecting import CollectOptions, run_collect
from anyorder.build.filling import FILL_FILE, FillOptions, fill
from anyorder.build.runs import training_job
from anyorder.cli import main
from anyorder.config import DataConfig, ModelConfig, RunConfig
from anyorder.data.collect import CollectSpec, collect
from anyorder.data.field_storage import read_field_split
from anyorder.data.manifest import MANIFEST, read_manifest
from anyorder.data.storage import read_split
from anyorder.elements.grid_fields import fields_of_grid
from anyorder.errors import AnyOrderError
from anyorder.evaluation.filling_scores import fill_scores
from anyorder.files import read_result
from anyorder.inference.grid_gaps import GridTable
from anyorder.training import checkpoint
from anyorder.types import as_recorded


@pytest.fixture(scope="module")
def place(make_trajectory, tmp_path_factory):
    """A folder with a data set, ``truth``; ``films``, the same without actions; and a checkpoint that knows nothing."""
    folder = tmp_path_factory.mktemp("place")
    source = lambda seeds: [make_trajectory(5, seed=seed, view=(2, 2)) for seed in seeds]  # noqa: E731
    collect(folder / "truth", CollectSpec("toy", "toy", 6, 25, 0), source=source)
    run_collect(CollectOptions(recorded=str(folder / "truth"), without="actions", output_dir=str(folder / "films")))
    config = RunConfig(data=DataConfig(str(folder / "truth")), model=ModelConfig(width=16, num_layers=1, num_heads=2))
    job = training_job(config, folder / "run", resume=False)
    checkpoint.save_checkpoint(folder / "model.pt", job.model.state_dict(), job.store.header)
    return folder


@pytest.fixture
def options(place, tmp_path):
    return FillOptions(str(place / "model.pt"), str(place / "films"), str(tmp_path / "new"), threshold=0.0)


def test_a_data_set_is_completed_and_scored(place, tmp_path, capsys):
    given = ["fill", "--checkpoint", str(place / "model.pt"), "--data", str(place / "films"), "--threshold", "0"]
    main([*given, "--output_dir", str(tmp_path / "new"), "--truth", str(place / "truth")])
    printed = capsys.readouterr().out
    assert "expected accuracy" in printed and "action" in printed and "calibration error" in printed
    found, truth = (read_split(folder, "train") for folder in (tmp_path / "new", place / "truth"))
    right = 0
    for split in ("train", "validation"):
        for one, true in zip(read_split(tmp_path / "new", split), read_split(place / "truth", split)):
            assert (one.filled["actions"] > 0).all() and not one.absent
            assert np.array_equal(one.observations, true.observations)
            right += int((one.actions == true.actions).sum())
    [part] = read_result(tmp_path / "new" / FILL_FILE)["parts"]
    assert (part["part"], part["num_filled"], part["num_absent"]) == ("action", 31 * 5, 0)
    assert part["right"]["successes"] == right and part["right"]["count"] == 31 * 5
    assert len(found) == len(truth) == 6
    spec = read_manifest(tmp_path / "new").spec
    assert spec["filled"]["threshold"] == 0 and list(spec["filled"]["corrections"]) == ["action"]


def test_it_goes_on_where_it_was_interrupted(options, monkeypatch):
    done = []

    def stops(table, episodes, *others):
        if done:
            raise KeyboardInterrupt
        done.append(len(episodes))
        return filled_in(table, episodes, *others)

    filled_in = filling.filled_in
    monkeypatch.setattr(filling, "filled_in", stops)
    with pytest.raises(KeyboardInterrupt, match="6 episodes are kept in .*: run the same again to continue"):
        fill(options)
    done.clear()
    fill(options)
    assert done == [25], "what is there is not computed again"
    manifest = json.loads((filling.Path(options.output_dir) / MANIFEST).read_text())
    fill(options)
    assert done == [25] and json.loads((filling.Path(options.output_dir) / MANIFEST).read_text()) == manifest


def test_missions_are_filled_in_by_what_was_done(place, tmp_path):
    lost = CollectOptions(recorded=str(place / "truth"), without=["missions", "actions"], output_dir=str(tmp_path / "lost"))
    run_collect(lost)
    given = FillOptions(str(place / "model.pt"), lost.output_dir, str(tmp_path / "new"), 0.0, str(place / "truth"))
    action, mission = fill(given)
    assert (action.part, mission.part, mission.num_filled, mission.num_absent) == ("action", "mission", 31, 0)
    assert mission.right.rate == 1 and mission.expected_accuracy == 1, "there is one to choose from"
    found, truth = read_split(tmp_path / "new", "train"), read_split(place / "truth", "train")
    assert [one.mission for one in found] == [one.mission for one in truth]
    assert all(one.filled["mission"].tolist() == [1.0] and (one.filled["actions"] > 0).all() for one in found)
    again = as_recorded(found[0])
    assert again.mission == "" and not again.filled and set(again.absent) == {"actions"}, "never taken for the truth"
    assert fields_of_grid(found[0]).mission == truth[0].mission
    strict = FillOptions(str(place / "model.pt"), lost.output_dir, str(tmp_path / "strict"), 1.0)
    *_, mission = fill(strict)
    assert mission.num_filled == 0 and mission.num_absent == 31, "nothing tells a mission where actions stay absent"
    config = RunConfig(data=DataConfig(str(tmp_path / "new")), model=ModelConfig(width=16, num_layers=1, num_heads=2))
    batch = training_job(config, tmp_path / "run", resume=False).train.batch([0])
    assert batch.layout.missions == (truth[0].mission,) and batch.layout.filled.any()


def test_without_a_truth_nothing_is_said_about_it(options):
    [score] = fill(options)
    assert score.right is None and score.calibration_error is None and 0 < score.expected_accuracy < 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"threshold": 1.5}, "threshold is a probability, between 0 and 1; found 1.5"),
        ({"num_calibration": -1}, "num_calibration must be at least 0"),
        ({"data": "truth"}, "must have absent actions or observations to fill in; found none"),
        ({"data": "nowhere"}, "there is no data set in"),
        ({"checkpoint": "nothing.pt"}, "nothing.pt"),
        ({"calibrate_on": "nowhere"}, "calibrate_on must be a data set with a validation split"),
        ({"output_dir": "films"}, "must have a folder of its own"),
        ({"truth": "short"}, "the truth must have the same episodes"),
    ],
)
def test_wrong_inputs_are_answered_in_a_sentence(place, tmp_path, make_trajectory, change, message, capsys):
    if "truth" in change and not (place / "short").exists():
        source = lambda seeds: [make_trajectory(3, seed=seed, view=(2, 2)) for seed in seeds]  # noqa: E731
        collect(place / "short", CollectSpec("toy", "toy", 6, 25, 0), source=source)
    given = {"checkpoint": "model.pt", "data": "films", "output_dir": str(tmp_path / "new"), **change}
    paths = {"checkpoint", "data", "truth", "calibrate_on", "output_dir"}
    words = [f"--{name}={place / str(value) if name in paths else value}" for name, value in given.items()]
    with pytest.raises(SystemExit):
        main(["fill", *words])
    said = capsys.readouterr().err
    assert message in said and "Traceback" not in said


def test_another_threshold_needs_another_folder(options):
    fill(options)
    with pytest.raises(AnyOrderError, match="holds another data set .*threshold: 0.0 there, 0.9 here"):
        fill(filling.FillOptions(**{**vars(options), "threshold": 0.9}))


def test_a_score_counts_what_can_be_counted_by_hand(make_trajectory, make_model):
    whole = make_trajectory(4, view=(2, 2))
    wrong = whole.actions.copy()
    wrong[1] = (wrong[1] + 1) % 7
    sure = np.array([0.8, 0.6, 0, 1.0], np.float32)
    lost = {"actions": np.array([False, False, True, False])}
    one = type(whole)(**{**vars(whole), "actions": wrong, "absent": lost, "filled": {"actions": sure}})
    [score] = fill_scores(GridTable(make_model((2, 2))), [(one, whole)])
    assert (score.part, score.num_filled, score.num_absent) == ("action", 3, 1)
    assert (score.right.successes, score.right.count) == (2, 3) and score.expected_accuracy == pytest.approx(0.8)
    # Bins of a fifteenth: the gaps |1 - 0.8|, |0 - 0.6| and |1 - 1.0|.
    assert score.calibration_error == pytest.approx((0.2 + 0.6 + 0.0) / 3, abs=1e-6)


def test_fields_are_completed_and_learned_from(tmp_path):
    (tmp_path / "carts").mkdir()
    run = cartpole_run(cartpole_data(tmp_path / "carts"), tmp_path / "run", num_updates=10)
    run_collect(
        CollectOptions(recorded=str(tmp_path / "carts"), without={"actions": 1.0, "cells": 0.2}, output_dir=str(tmp_path / "d"))
    )
    best = str(run / "checkpoints" / "best.pt")
    scores = fill(FillOptions(best, str(tmp_path / "d"), str(tmp_path / "new"), 0.0, truth=str(tmp_path / "carts")))
    assert [score.part for score in scores][-1] == "action" and all(score.num_absent == 0 for score in scores)
    assert all(one.filled["action"].all() for one in read_field_split(tmp_path / "new", "train"))
    main(
        [
            *("train", "--data.path", str(tmp_path / "carts"), "--data.filled_weight", "0.5"),
            *("--data.sets", f"[{{path: {tmp_path / 'new'}, masking: {{mixture: {{next_step: 1}}}}}}]"),
            *("--training.num_updates", "3", "--training.num_processes", "1", "--output_dir", str(tmp_path / "again")),
        ]
    )
    assert (tmp_path / "again" / "checkpoints" / "best.safetensors").exists()
