"""A study runs every arm with every seed, survives those that fail, repeats none that is done, and claims no more
than its intervals allow."""

import json
from pathlib import Path

import pytest

from anyorder.cli import main
from anyorder.evaluation.statistics import Proportion
from anyorder.experiments.ablate import Outcome
from anyorder.experiments.summary import pooled, verdict

STUDY = """
base:
  data: {{path: {folder}/data}}
  model: {{width: 16, num_layers: 1, num_heads: 2}}
  training: {{num_epochs: 1}}
collect: {{num_episodes: 12, num_validation: 4, num_test: 4, num_processes: 1}}
seeds: [0, 1]
num_episodes: 2
quick: {{seeds: [0]}}
metrics: {{imitation: task_success}}
arms:
  cell: {{masking: {{mixture: {{cell: 0.5, next_action: 0.5}}}}}}
  imitation: {{masking: {{mixture: {{next_action: 1.0}}}}}}
  broken: {{model: {{num_heads: 3}}}}
comparisons:
  With and without cells: [cell, imitation]
  The broken one: [cell, broken]
"""
PATH = "next_action.groups.action.accuracy"


def outcome(successes, count, error=""):
    metrics = {"next_action": {"groups": {"action": {"accuracy": {"successes": successes, "count": count}}}}}
    return Outcome("arm", 0, Path("arm"), {} if error else metrics, error)


def test_seeds_are_pooled_by_their_counts():
    # Not the mean of the rates, (1/10 + 90/90) / 2 = 55%.
    assert pooled([outcome(1, 10), outcome(90, 90)], PATH) == Proportion(91, 100)


def test_failed_runs_and_missing_figures_are_left_out_of_the_pool():
    assert pooled([outcome(1, 10), outcome(0, 0, error="died")], PATH) == Proportion(1, 10)
    assert pooled([outcome(0, 0, error="died")], PATH) is None
    assert pooled([outcome(1, 10)], "task_success.success") is None


def test_an_arm_wins_when_its_interval_lies_above_all_others():
    # 95% Wilson intervals: 90 in 100 is [82.6, 94.5], 70 in 100 is [60.4, 78.1], 85 in 100 is [76.7, 90.7].
    high, middle, low = (Proportion(successes, 100) for successes in (90, 85, 70))
    assert verdict({"a": low, "b": high}) == "b"
    assert verdict({"a": middle, "b": high}) == "not distinguishable"
    assert verdict({"a": low, "b": middle, "c": high}) == "not distinguishable"
    assert verdict({"a": high}) == "not distinguishable"


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    (folder / "study.yaml").write_text(STUDY.format(folder=folder))
    return folder


@pytest.fixture(scope="module")
def run_study(study):
    def run(*options):
        with pytest.raises(SystemExit) as ending:
            main(["ablate", "--study", str(study / "study.yaml"), "--output_dir", str(study / "out"), "--num_workers", "1",
                  *options])  # fmt: skip
        return ending.value.code, (study / "out" / "RESULTS_SUMMARY.md").read_text()

    return run


def results(study):
    return {path: path.stat().st_mtime_ns for path in study.glob("out/full/*/*/report/metrics.json")}


def test_a_study_tells_everything_and_repeats_nothing(study, run_study, capsys):
    status, summary = run_study()
    assert status == 2 and "2 of 6 runs failed" in capsys.readouterr().err
    finished = results(study)
    assert {path.parts[-4:-2] for path in finished} == {
        (arm, seed) for arm in ("cell", "imitation") for seed in ("seed_0", "seed_1")
    }
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in summary.splitlines() if line.startswith("|")]
    assert [row[0] for row in rows] == ["arm", "---", "cell", "imitation", "**verdict**"] + [
        "arm", "---", "cell", "broken", "**verdict**"
    ]  # fmt: skip
    header, cell, broken = rows[0], rows[2], rows[8]
    counted = [json.loads(path.read_text()) for path in finished if "cell" in path.parts]
    accuracies = [metrics["next_action"]["groups"]["action"]["accuracy"] for metrics in counted]
    both = Proportion(sum(a["successes"] for a in accuracies), sum(a["count"] for a in accuracies))
    assert cell[header.index("next action")] == str(both)
    assert broken[1:-1] == ["no result"] * (len(header) - 2)
    assert rows[4][header.index("task success")] == "not distinguishable", "four episodes decide nothing"
    for seed in (0, 1):
        assert f"- broken, seed {seed}: model: num_heads divides width" in summary

    status, _ = run_study()
    assert status == 2 and results(study) == finished
