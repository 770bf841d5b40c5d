"""A study runs every arm at every level, size and seed, survives those that fail, repeats none that is done, and shows no
number that is not stored."""

import json
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import pytest

from anyorder.build.filling import FillOptions
from anyorder.data.storage import read_split
from anyorder.evaluation.statistics import Proportion
from anyorder.studies import runner
from anyorder.studies.efficiency import Measurement, demonstrations_needed
from anyorder.studies.summary.efficiency_plot import efficiency_figure

GOOD_RUNS = {
    (size, arm, seed)
    for size in ("4_demonstrations", "all_demonstrations")
    for arm in ("cell_mixed", "imitation", "filled")
    for seed in ("seed_0", "seed_1")
}


@pytest.fixture(scope="module")
def out(study_file, run_study):
    """The folder of the study, run once."""
    assert run_study() == 2, "a study with runs that failed says so"
    return study_file.parent / "out"


@pytest.fixture(scope="module")
def found(out):
    return json.loads((out / "full" / "results.json").read_text())


def finished(out):
    return {path: path.stat().st_mtime_ns for path in out.glob("full/*/*/*/*/report/effort.json")}


def row(found, size, arm):
    (table,) = (table for table in found["tables"] if table["size"] == size)
    return next(row for row in table["rows"] if row["arm"] == arm)


def test_every_run_that_can_finishes_and_the_others_are_named(out, found):
    assert {path.parts[-5:-2] for path in finished(out)} == GOOD_RUNS
    assert [entry["run"] for entry in found["failed"]] == [
        f"Red, {size} demonstrations, broken, seed {seed}" for seed in (0, 1) for size in (4, "all")
    ]
    assert all("num_heads must divide width" in entry["error"] for entry in found["failed"])
    assert row(found, 4, "broken")["scores"] == {}
    summary = (out / "RESULTS_SUMMARY.md").read_text()
    assert all(f"- {entry['run']}: {entry['error']}" in summary for entry in found["failed"])


def test_finished_runs_are_not_repeated(out, run_study, found):
    before = finished(out)
    assert run_study() == 2 and finished(out) == before
    again = json.loads((out / "full" / "results.json").read_text())
    assert again["tables"] == found["tables"]


def test_scores_are_those_of_the_result_files(out, found):
    cell = row(found, 4, "cell, mixed")
    stored = [json.loads((out / run["files"][0]).read_text()) for run in cell["runs"]]
    shares = [metrics["next_action"]["groups"]["action"]["accuracy"] for metrics in stored]
    pooled = Proportion(sum(share["successes"] for share in shares), sum(share["count"] for share in shares))
    assert len(stored) == 2 and cell["scores"]["next action"]["text"] == str(pooled)
    assert cell["scores"]["reward"]["value"] == pytest.approx(
        sum(metrics["task_success"]["mean_reward"] for metrics in stored) / 2
    )
    assert cell["scores"]["length"]["value"] == pytest.approx(
        sum(metrics["task_success"]["mean_length"] for metrics in stored) / 2
    )
    corrupted = [metrics["robustness"][0]["corrupted"] for metrics in stored]
    assert cell["scores"]["success, occlusion 0.3 told"]["successes"] == sum(share["successes"] for share in corrupted)


def test_what_models_fill_in_is_learned_from_and_counted(out, found):
    entries = {(entry["size"], entry["seed"]): entry for entry in found["filled"]}
    assert set(entries) == {(size, seed) for size in (4, None) for seed in (0, 1)}
    lost = sum(len(one) for one in read_split(out.parent / "truth", "train"))
    for entry in entries.values():
        (part,) = entry["parts"]
        assert (entry["arm"], entry["set"], part["part"]) == ("imitation", "films", "action")
        assert part["num_filled"] + part["num_absent"] == lost
        assert part["num_filled"] == 0 or part["right"]["count"] == part["num_filled"], "the truth is known"
    for size, number in ((4, 4), (None, 12)):
        for run in row(found, size, "filled")["runs"]:
            config = (out / run["files"][0]).parents[1] / "config.yaml"
            assert entries[size, run["seed"]]["file"].rsplit("/", 1)[0] in config.read_text()
        seen = [row(found, size, arm)["effort"]["trajectories"] / number for arm in ("imitation", "filled")]
        assert seen[1] != seen[0], "both data sets are drawn from"
    assert "## What was filled in" in (out / "RESULTS_SUMMARY.md").read_text()


def test_unseen_levels_are_played_too(out, found):
    cell = row(found, None, "imitation")
    assert cell["scores"]["success on BabyAI-GoToObj-v0"]["count"] == 2 * 3
    for run in cell["runs"]:
        unseen = json.loads((out / run["files"][1]).read_text())
        assert unseen["env_id"] == "BabyAI-GoToObj-v0" and "smoothing" not in unseen


def test_every_episode_is_kept(out, found):
    for run in row(found, 4, "imitation")["runs"]:
        folder = (out / run["files"][0]).parent
        episodes, metrics = (json.loads((folder / name).read_text()) for name in ("episodes.json", "metrics.json"))
        assert sum(episodes["success"]) == metrics["task_success"]["success"]["successes"]
        assert sum(episodes["length"]) / 3 == pytest.approx(metrics["task_success"]["mean_length"])
        assert episodes["seed"] == list(range(metrics["config"]["first_seed"], metrics["config"]["first_seed"] + 3))


def test_arms_learn_from_as_much(found, study_file):
    for size in (4, None):
        cell, imitation = (row(found, size, arm)["effort"] for arm in ("cell, mixed", "imitation"))
        same = ("updates", "trajectories", "frames", "elements_per_update")
        assert cell["updates"] == 3 and {key: cell[key] for key in same} == {key: imitation[key] for key in same}
        # Next actions alone: as many targets as the batches have actions, one less than frames per trajectory.
        assert imitation["targets_per_update"] * 3 == pytest.approx(imitation["frames"] - imitation["trajectories"])
        assert cell["targets_per_update"] > imitation["targets_per_update"]
    assert len(read_split(study_file.parent / "data", "train")) == 12


def test_differences_are_paired_and_four_episodes_decide_nothing(out, found):
    for table in found["tables"]:
        with_cells, broken = table["comparisons"]
        assert (with_cells["reference"], broken["rows"][0]["differences"]) == ("imitation", {})
        (compared,) = with_cells["rows"]
        assert compared["arm"] == "cell, mixed" and compared["seeds"] == [0, 1]
        assert set(compared["differences"]) == {"task success", "reward", "length", "success on BabyAI-GoToObj-v0"}
        cell, imitation = (row(found, table["size"], arm)["scores"] for arm in ("cell, mixed", "imitation"))
        success = compared["differences"]["task success"]
        assert success["value"] == pytest.approx(cell["task success"]["rate"] - imitation["task success"]["rate"])
        assert success["verdict"] == "not distinguishable" and success["low"] < success["value"] < success["high"]


def test_demonstrations_needed_follow_from_both_sizes(out, found):
    judged = ("cell, mixed", "imitation", "filled")
    assert [(entry["level"], entry["arm"]) for entry in found["efficiency"]] == [("Red", arm) for arm in judged]
    entry = found["efficiency"][0]
    measured = [
        Measurement(num, json.loads((out / run["files"][0]).read_text())["task_success"]["success"]["successes"], 3)
        for num, size in ((4, 4), (12, None))
        for run in row(found, size, "cell, mixed")["runs"]
    ]
    assert sorted(map(str, entry["measurements"])) == sorted(str(asdict(run)) for run in measured)
    needed = demonstrations_needed(measured, 0.99)
    assert entry["needed"] == needed.to_json() and entry["babyai"] == [50_000, 62_000]
    summary = (out / "RESULTS_SUMMARY.md").read_text()
    told = f"| Red | cell, mixed | [{needed}](full/results.json) | [50,000 to 62,000](full/results.json) |"
    assert told in summary and "](full/demonstrations.png)" in summary


def test_success_is_drawn_against_demonstrations(out, found):
    figure = efficiency_figure(found["efficiency"])
    (axes,) = figure.axes
    points, curve = axes.lines[:2]
    entry = found["efficiency"][0]
    assert axes.get_xscale() == "log" and [text.get_text()[:4] for text in axes.get_legend().texts] == ["cell", "imit", "fill"]
    assert sorted(points.get_xdata()) == [4, 4, 12, 12]
    assert list(curve.get_ydata()) == [point["median"] for point in entry["curve"]]
    svg, png = ((out / "full" / f"demonstrations.{kind}").read_bytes() for kind in ("svg", "png"))
    assert b"demonstrations</text>" in svg and png.startswith(b"\x89PNG")


def test_every_number_links_to_a_file_that_exists(out):
    summary = (out / "RESULTS_SUMMARY.md").read_text()
    cells = [cell.strip() for line in summary.splitlines() if line.startswith("|") for cell in line.strip("|").split("|")]
    numbers = [cell for cell in cells if re.search(r"\d", cell) and cell not in ("0, 1", "success on BabyAI-GoToObj-v0")]
    numbers = [cell for cell in numbers if not cell.startswith("success, occlusion")]
    assert len(numbers) > 30 and all(re.search(r"\]\([\w./-]+\)", cell) for cell in numbers)
    links = re.findall(r"\]\(([^)]+)\)", summary)
    assert links and all((out / link).is_file() for link in links)
    assert "anyorder study --study" in summary and str(Path("full/results.json")) in summary


def test_a_run_of_other_settings_is_refused_before_anything_runs(out, study_file, run_study, capsys):
    before, text = finished(out), study_file.read_text()
    for old, new in (("updates: 3", "updates: 4"), ("num_episodes: 3", "num_episodes: 2"), ("{cell: 0.5", "{cell: 0.6")):
        assert text.count(old) == 1
        study_file.write_text(text.replace(old, new))
        try:
            assert run_study() == 2
        finally:
            study_file.write_text(text)
        assert "holds a run of other settings" in capsys.readouterr().err and finished(out) == before


def test_a_run_that_is_older_than_an_option_had_its_default(out, run_study):
    (path, *_) = out.glob("full/*/*/*/*/settings.json")
    before, text = finished(out), path.read_text()
    settings = json.loads(text)
    del settings["config"]["data"]["hindsight"], settings["evaluation"]["cell_rate"], settings["data"]["noise"]
    path.write_text(json.dumps(settings))
    try:
        assert run_study() == 2 and finished(out) == before
    finally:
        path.write_text(text)


def test_the_quick_form_is_kept_apart(out, run_study):
    before = finished(out)
    assert run_study("--quick", "--num_workers", "2") == 2, "in processes of their own, too"
    quick = json.loads((out / "quick" / "results.json").read_text())
    assert quick["efficiency"] == [] and "Demonstrations needed" not in (out / "RESULTS_SUMMARY.md").read_text()
    assert row(quick, 4, "imitation")["effort"]["updates"] == 2 and quick["seeds"] == [0]
    assert finished(out) == before


def test_arms_that_learn_from_one_filled_data_set_take_turns(tmp_path, monkeypatch):
    busy, filled = threading.Lock(), []

    def fill(options):
        assert busy.acquire(blocking=False), "another arm is filling in the same"
        time.sleep(0.2)
        filled.append(options.output_dir)
        busy.release()

    monkeypatch.setattr(runner, "fill", fill)
    options = FillOptions(checkpoint="best.pt", data="films", output_dir=str(tmp_path / "filled" / "films"))
    with ThreadPoolExecutor(2) as arms:
        for done in [arms.submit(runner._filled_in_turn, options) for _ in range(2)]:
            done.result()
    assert filled == [options.output_dir] * 2
