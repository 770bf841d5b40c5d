"""A run on data of any environment, judged and reported on from the command line."""

import json
import re

import numpy as np
import pytest
from cartpole import cartpole_data, cartpole_run

from anyorder.cli import main
from anyorder.evaluation.field_findings import read_field_findings
from anyorder.files import read_json
from anyorder.training.journal import read_metrics

EPISODES = 6


@pytest.fixture(scope="module")
def data_folder(tmp_path_factory):
    return cartpole_data(tmp_path_factory.mktemp("cartpole"))


@pytest.fixture(scope="module")
def run_folder(data_folder, tmp_path_factory):
    """A tiny model, trained for a moment and judged."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    cartpole_run(data_folder, folder)
    judged(folder, "--reference_returns", "[20, 500]")
    return folder


def judged(folder, *others):
    checkpoint = str(folder / "checkpoints" / "best.pt")
    main(["evaluate", "--checkpoint", checkpoint, "--num_episodes", str(EPISODES), *others])


def test_validation_speaks_of_nats_and_not_of_objects(run_folder):
    (*_, last) = [record for record in read_metrics(run_folder) if record["section"] == "validation"]
    assert "object_accuracy" not in last
    assert np.isfinite(last["observation_nats"]) and 0 < last["action_accuracy"] <= 1


def test_what_was_found_is_stored_and_read_back(run_folder):
    findings, asked = read_field_findings(run_folder / "report" / "metrics.json")
    stored = read_json(run_folder / "report" / "metrics.json")
    assert asked.num_episodes == EPISODES
    assert json.loads(json.dumps(findings.to_json())) == {k: v for k, v in stored.items() if k not in ("config", "sha256")}
    assert {"forward", "filtering", "smoothing", "next_action"} == findings.modes.keys()
    forward = findings.modes["forward"].fields["all observations"]
    assert forward.categories is None and forward.numbers.count == 4 * findings.modes["next_action"].fields["action"].count
    assert 0 < forward.numbers.coverage_90.value <= 1 and len(forward.numbers.below) == 19


def test_the_return_is_that_of_the_episodes_beside_the_demonstrations(run_folder, data_folder):
    stored, episodes = (read_json(run_folder / "report" / name) for name in ("metrics.json", "episodes.json"))
    task = stored["task_success"]
    assert task["mean_return"]["value"] == pytest.approx(np.mean(episodes["reward"]))
    assert task["mean_return"]["low"] <= task["mean_return"]["value"] <= task["mean_return"]["high"]
    assert task["normalised"]["value"] == pytest.approx(100 * (np.mean(episodes["reward"]) - 20) / 480)
    assert len(episodes["seed"]) == EPISODES and episodes["seed"][0] == 30_000_000
    demonstrated = read_json(data_folder / "manifest.json")["splits"]["train"]["shards"][0]["num_steps"] / 12
    assert stored["demonstrations"]["mean_return"]["value"] == pytest.approx(demonstrated)


def test_corrupted_episodes_are_compared_on_the_same_seeds(run_folder):
    robustness = read_json(run_folder / "report" / "metrics.json")["robustness"]
    assert [(one["kind"], one["form"], one["strength"]) for one in robustness] == [
        ("occlusion", "told", 0.1),
        ("occlusion", "told", 0.3),
        ("sensor_noise", "untold", 0.1),
        ("sensor_noise", "untold", 0.3),
    ]
    for one in robustness:
        assert one["clean"]["seeds"] == one["corrupted"]["seeds"]
        difference = one["corrupted"]["mean_return"]["value"] - one["clean"]["mean_return"]["value"]
        assert one["difference"]["value"] == pytest.approx(difference)


def test_the_page_and_the_markdown_show_it(run_folder, capsys):
    main(["report", str(run_folder), "--num_shown", "2"])
    page = (run_folder / "report" / "report.html").read_text()
    for words in (
        "Results",
        "Trajectories, hidden and rebuilt",
        "Findings in detail",
        "observation/3",
        "return of demonstrations",
    ):
        assert words in page
    assert page.count("· smoothing</figcaption>") == 2
    assert len(re.findall(r"<svg", page)) >= 8
    assert "Errors of hidden numbers" in (run_folder / "report" / "report.md").read_text()
    assert (run_folder / "report" / "reconstruction.png").stat().st_size > 10_000


def test_two_runs_stand_side_by_side(run_folder, tmp_path):
    main(["report", str(run_folder), str(run_folder), "--num_shown", "1", "--output", str(tmp_path / "both.html")])
    assert "Side by side" in (tmp_path / "both.html").read_text()


def test_promises_are_of_shares_and_of_returns(run_folder, tmp_path, capsys):
    promises = tmp_path / "promises.yaml"
    metric = "next_action.fields.action.categories.accuracy.model"
    folder = ["--output_dir", str(tmp_path), "--metric", "accuracy"]
    promises.write_text(f"- {{name: actions, metric: {metric}, at_least: 0.01}}")
    judged(run_folder, "--promises", str(promises), *folder)
    promises.write_text("- {name: return, metric: task_success.mean_return, at_least: 10000}")
    with pytest.raises(SystemExit) as missed:
        judged(run_folder, "--promises", str(promises), "--output_dir", str(tmp_path), "--metric", "task_success")
    assert missed.value.code == 1
    assert "NO" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("others", "words"),
    [
        (["--metric", "goals"], "no expert of CartPole-v1 is known"),
        (["--metric", "robustness", "--robustness", "{attribute_flips: [0.1]}"], "must be among occlusion, sensor_noise"),
        (["--metric", "task_success", "--env", "NoSuch-v0"], "there is no environment"),
        (["--reference_returns", "[1, 1]"], "two different numbers"),
    ],
)
def test_what_does_not_fit_is_refused(run_folder, tmp_path, capsys, others, words):
    with pytest.raises(SystemExit):
        judged(run_folder, "--output_dir", str(tmp_path), *others)
    assert words in capsys.readouterr().err


def test_scores_remain_where_the_environment_is_not_there(run_folder, tmp_path, capsys):
    judged(run_folder, "--output_dir", str(tmp_path), "--env", "NoSuch-v0")
    assert "no episodes are played: there is no environment" in capsys.readouterr().err
    stored = read_json(tmp_path / "metrics.json")
    assert "forward" in stored and "task_success" not in stored
