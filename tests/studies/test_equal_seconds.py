"""Arms after equal seconds: the last validation that each had come to by then."""

import json
from dataclasses import replace

import pytest
from outcomes import make_study, outcome, runs_of

from anyorder.studies.equal_seconds import equal_seconds
from anyorder.studies.summary.verdict_section import verdict_section
from anyorder.studies.verdicts import experiments


def trained(run, seconds, curve, curve_episodes=20):
    """Of a run of 40 updates; curve: update -> success at its validation."""
    run = replace(run, curve_episodes=curve_episodes)
    run.folder.mkdir(parents=True, exist_ok=True)
    records = [{"update": update, "section": "validation", "loss": 1.0, "success": rate} for update, rate in curve.items()]
    lines = [json.dumps({"update": 5, "section": "train", "loss": 1.0}), *map(json.dumps, records)]
    (run.folder / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    found = outcome(run, {"": [True] * 10})
    return replace(found, effort={"updates": 40.0, "training_seconds": float(seconds), "judging_seconds": 1.0})


@pytest.fixture
def study(tmp_path):
    return make_study(tmp_path)


@pytest.fixture
def entries(study):
    """`low` takes 100 and 140 seconds (120 on average), `middle` twice as long for as many updates."""
    curves = {"low": {20: 0.25, 40: 0.5}, "middle": {10: 0.1, 20: 0.75, 30: 0.9, 40: 1.0}}
    seconds = {"low": (100, 140), "middle": (200, 280)}
    return [(arm, [trained(r, s, curves[arm]) for r, s in zip(runs_of(study, "Red", arm), seconds[arm])]) for arm in curves]


def test_the_quickest_arm_counts_with_all_and_another_with_what_it_had_by_then(entries):
    found = equal_seconds(entries)
    assert found["seconds"] == 120
    quick, slow = found["rows"]
    assert (quick["label"], quick["seconds"], quick["updates"]) == ("low", 120, 40)
    assert (slow["label"], slow["seconds"], slow["updates"]) == ("middle", 240, 20)
    assert (quick["success"]["successes"], quick["success"]["count"]) == (20, 40)
    assert (slow["success"]["successes"], slow["success"]["count"]) == (30, 40)
    assert slow["by_seed"] == [{"update": 20, "rate": 0.75}] * 2


def test_nothing_is_said_without_episodes_in_time(study, entries):
    late = [trained(run, 240, {40: 1.0}) for run in runs_of(study, "Red", "middle")]
    unplayed = [trained(run, 240, {40: 1.0}, curve_episodes=0) for run in runs_of(study, "Red", "middle")]
    assert equal_seconds([entries[0], ("middle", late)]) is None
    assert equal_seconds([entries[0], ("middle", unplayed)]) is None
    assert equal_seconds([("low", []), ("middle", [])]) is None
    assert equal_seconds([entries[0], ("middle", [])])["rows"][0]["label"] == "low"


def test_the_summary_shows_them(tmp_path, study, entries):
    finished = [outcome for _, own in entries for outcome in own]
    finished += [trained(run, 240, {20: 0.5, 40: 1.0}) for run in runs_of(study, "Red", "high")]
    rate = experiments(replace(study, across={}), finished)[0]
    page = "\n".join(verdict_section([rate], tmp_path / "plots", tmp_path, "results.json"))
    assert "### After 120 seconds of training each" in page
    assert "| middle | 240 | 20 | [75.0% [59.8, 85.8]](results.json) | 75.0%, 75.0% |" in page
    page = "\n".join(verdict_section([rate | {"equal_seconds": None}], tmp_path / "plots", tmp_path, "results.json"))
    assert "seconds of training each" not in page
