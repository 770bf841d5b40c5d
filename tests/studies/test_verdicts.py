"""An arm wins only where its lead over every other is sure; everything else is said to be undecided or unknown."""

from dataclasses import replace

import numpy as np
import pytest
from outcomes import UNSEEN, make_study, outcome, runs_of

from anyorder.evaluation.statistics import Proportion, success_difference
from anyorder.studies.summary.verdict_section import verdict_section
from anyorder.studies.verdicts import experiments

NUM = 50


@pytest.fixture
def study(tmp_path):
    return make_study(tmp_path)


def won(share, start=0):
    """The first episodes from ``start`` on, so that arms win the same ones."""
    return [start <= number < start + round(share * NUM) for number in range(NUM)]


def finished(study, rates, unseen=None):
    """Outcomes where each arm of Red wins its share of the episodes, with both seeds."""
    found = []
    for (level, arm), share in rates.items():
        for run in runs_of(study, level, arm):
            away = {env: won((unseen or {}).get((level, arm), 0.5)) for env in run.test_on}
            found.append(outcome(run, {"": won(share), **away}))
    return found


def by_title(study, outcomes):
    return {entry["title"]: entry for entry in experiments(study, outcomes)}


ALIKE = {("Red", "low"): 0.5, ("Red", "middle"): 0.5, ("Red", "high"): 0.52, ("Red", "schedule"): 0.5, ("Two", "middle"): 0.5}


def test_who_is_far_ahead_of_all_wins(study):
    entry = by_title(study, finished(study, ALIKE | {("Red", "low"): 0.9}))["Rate"]
    assert (entry["winner"], entry["best"], entry["where"], entry["measure"]) == ("low", "low", "Red", "task success")
    assert entry["verdict"] == (
        f"The winner is low: its task success ({Proportion(90, 100)}) is above that of middle and high,"
        " and no interval of a lead holds 0."
    )
    rows = {row["label"]: row for row in entry["rows"]}
    expected = success_difference(np.tile(won(0.9), (2, 1)), np.tile(won(0.52), (2, 1)), np.random.default_rng(0))
    assert rows["high"]["lead"]["value"] == pytest.approx(0.38) and rows["high"]["lead"]["low"] == expected.low > 0
    assert rows["low"]["lead"] is None and rows["low"]["scores"]["task success"]["successes"] == 90


def test_who_is_ahead_of_some_only_does_not(study):
    entry = by_title(study, finished(study, ALIKE | {("Red", "low"): 0.9, ("Red", "high"): 0.88}))["Rate"]
    assert (entry["winner"], entry["best"]) == (None, "low")
    assert entry["verdict"].startswith("Not distinguishable: low has the highest task success")
    assert entry["verdict"].endswith("but the interval of its lead over high holds 0.")


def test_a_run_that_failed_leaves_the_other_seed(study):
    outcomes = finished(study, ALIKE | {("Red", "low"): 0.9})
    outcomes = [o for o in outcomes if (o.run.arm.name, o.run.seed) != ("middle", 1)]
    entry = by_title(study, outcomes)["Rate"]
    assert [row["seeds"] for row in entry["rows"]] == [[0], [0, 1], [0, 1]]
    lead = next(row["lead"] for row in entry["rows"] if row["label"] == "middle")
    assert lead["value"] == pytest.approx(0.4), "over the seed that both have"
    assert entry["rows"][0]["scores"]["task success"]["count"] == NUM


def test_without_an_arm_there_is_no_verdict(study):
    outcomes = [o for o in finished(study, ALIKE) if o.run.arm.name != "high"]
    entry = by_title(study, outcomes)["Rate"]
    assert (entry["winner"], entry["verdict"]) == (None, "No verdict: task success was not measured for high.")
    assert by_title(study, [])["Rate"]["verdict"].startswith("No verdict: task success was not measured for middle")


def test_other_episodes_are_not_compared(study):
    outcomes = [
        replace(
            o, episodes={env: {**played, "seed": [seed + 1 for seed in played["seed"]]} for env, played in o.episodes.items()}
        )
        if o.run.arm.name == "low" or o.run.level.name == "Two"
        else o
        for o in finished(study, ALIKE | {("Red", "low"): 0.9})
    ]
    found = by_title(study, outcomes)
    assert found["Rate"]["verdict"] == "No verdict: task success was not measured for middle, high."
    assert found["Levels"]["verdict"].startswith("No verdict: success on unseen levels was not measured for")


def test_levels_are_compared_where_none_was_trained(study):
    at_home, away = ALIKE | {("Red", "middle"): 1.0}, {("Red", "middle"): 0.2, ("Two", "middle"): 0.8}
    entry = by_title(study, finished(study, at_home, away))["Levels"]
    assert (entry["measure"], entry["where"], entry["winner"]) == ("success on unseen levels", "", "middle (Two)")
    scores = {row["label"]: row["scores"] for row in entry["rows"]}
    whole = scores["middle (Two)"]["success on unseen levels"]
    assert (whole["successes"], whole["count"]) == (0.8 * NUM * 2 * 2, NUM * 2 * 2), "both seeds, both levels"
    assert all(f"success on {env}" in scores["middle (Red)"] for env in UNSEEN)


def test_what_one_of_them_was_trained_on_is_not_unseen(tmp_path):
    study = make_study(tmp_path)
    levels = [study.levels[0], replace(study.levels[1], data=replace(study.levels[1].data, env=UNSEEN[0] + "+x"))]
    study = replace(study, levels=levels)
    entry = by_title(study, finished(study, ALIKE))["Levels"]
    assert entry["rows"][0]["scores"]["success on unseen levels"]["count"] == NUM * 2, "GoToObj was seen"


def test_a_comparison_of_one_place_is_left_out(study):
    found = experiments(replace(study, across={"Levels": [("Red", "middle")]}), finished(study, ALIKE))
    assert "Levels" not in [entry["title"] for entry in found] and found


def test_the_page_says_it_all(study, tmp_path):
    found = experiments(study, finished(study, ALIKE | {("Red", "low"): 0.9}))
    parts = verdict_section(found, tmp_path / "plots", tmp_path, "plots/results.json")
    page = "\n\n".join(parts)
    for entry in found:
        assert page.count(entry["verdict"]) == 2, "at the top and at its table"
    table = next(part for part in parts if part.startswith("| arm | task success | lead of low |"))
    (winner,) = (line for line in table.splitlines() if line.startswith("| **low**"))
    assert f"[{Proportion(90, 100)}](plots/results.json)" in winner and "| 0, 1 |" in winner
    assert "[+40.0 [" in table and (tmp_path / "plots" / "rate_red_rates.svg").exists()
    assert verdict_section([], tmp_path, tmp_path, "") == []
