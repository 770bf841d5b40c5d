"""Committed studies hold what they claim: every link leads to a file, every rate to the episodes it was counted from."""

import json
import re
import runpy
from pathlib import Path

import pytest

from anyorder.studies.promises import lookup

ROOT = Path(__file__).parent.parent
STUDIES = sorted((ROOT / "docs" / "results").glob("*/RESULTS_SUMMARY.md"))


def results_file(summary):
    (found,) = {summary.parent / link for link in re.findall(r"\(([^)]*results\.json)\)", summary.read_text())}
    return found


@pytest.mark.parametrize("summary", STUDIES, ids=lambda path: path.parent.name)
def test_every_link_leads_to_a_file(summary):
    links = re.findall(r"\]\(([^)#]+)\)", summary.read_text())
    assert len(links) > 20
    assert [link for link in set(links) if not (summary.parent / link).exists()] == []


@pytest.mark.parametrize("summary", STUDIES, ids=lambda path: path.parent.name)
def test_success_is_what_the_episodes_say(summary):
    rows = [row for table in json.loads(results_file(summary).read_text())["tables"] for row in table["rows"]]
    assert rows
    for row in rows:
        files = [summary.parent / run["files"][0] for run in row["runs"]]
        episodes = [json.loads(path.with_name("episodes.json").read_text()) for path in files]
        wins = [won for played in episodes for won in played["success"]]
        share = row["scores"]["task success"]
        assert (share["successes"], share["count"]) == (sum(wins), len(wins))
        assert share["text"] in summary.read_text()


def test_publishing_copies_what_is_linked_and_no_weights(tmp_path):
    study, target = tmp_path / "study", tmp_path / "docs"
    report = study / "full" / "A" / "seed_0" / "report"
    report.mkdir(parents=True)
    (report / "metrics.json").write_text('{\n  "success": 0.5\n}\n')
    (report.parent / "checkpoints").mkdir()
    (report.parent / "checkpoints" / "header.json").write_text("{}")
    (report.parent / "log.txt").write_text("noise")
    (study / "RESULTS_SUMMARY.md").write_text("[1](full/A/seed_0/report/metrics.json)")
    publish = runpy.run_path(str(ROOT / "scripts" / "publish_results.py"))["publish"]
    assert publish(study, target) == 2
    assert (target / "full/A/seed_0/report/metrics.json").read_text() == '{"success":0.5}\n'
    assert sorted(path.name for path in target.rglob("*") if path.is_file()) == ["RESULTS_SUMMARY.md", "metrics.json"]


SKILLS = ROOT / "docs" / "results" / "skills_mazes.md"
ROWS = {
    "policy: task success": ("policy_alone", "task_success.success"),
    "inverse dynamics: error": ("inverse_dynamics_alone", "inverse_dynamics.fields.all actions.numbers.root_mean_square.model"),
    "inverse dynamics: within 0.1": ("inverse_dynamics_alone", "inverse_dynamics.fields.all actions.numbers.near.model"),
    "inverse dynamics: nats": ("inverse_dynamics_alone", "inverse_dynamics.fields.all actions.numbers.nats.model"),
    "forward dynamics: error": (
        "forward_dynamics_alone",
        "forward_dynamics.fields.all observations.numbers.root_mean_square.model",
    ),
    "forward dynamics: within 0.1": ("forward_dynamics_alone", "forward_dynamics.fields.all observations.numbers.near.model"),
    "hidden observations: error": ("hidden_cells_alone", "smoothing.fields.all observations.numbers.root_mean_square.model"),
    "hidden actions: error": ("hidden_cells_alone", "smoothing.fields.all actions.numbers.root_mean_square.model"),
    "goal reached, wish untold": ("goals_alone", "goals.success"),
    "between waypoints: error": ("waypoints_alone", "waypoints.fields.all observations.numbers.root_mean_square.model"),
}
"""What the rows of the page's table begin with -> the specialist, and where the files hold the figure."""


def in_words(found):
    """A share, or a figure with its interval, as the page writes it."""
    if "rate" in found:
        return "{:.1f}% [{:.1f}, {:.1f}]".format(*(100 * found[key] for key in ("rate", "low", "high")))
    return "{:.3f} [{:.3f}, {:.3f}]".format(*(found[key] for key in ("value", "low", "high")))


@pytest.mark.parametrize("row", ROWS)
def test_skills_in_mazes_are_those_of_the_files(row):
    """Row by row: the model of every order, the specialist, and the baselines of the model's file, where there are any."""
    (line,) = [line for line in SKILLS.read_text().splitlines() if line.startswith(f"| {row}")]
    cells, (specialist, path) = [cell.strip() for cell in line.strip("| ").split("|")], ROWS[row]
    for cell, arm in ((cells[1], "generalist"), (cells[2], specialist)):
        metrics = json.loads((SKILLS.parent / "skills_mazes" / f"umaze_{arm}.json").read_text())
        assert cell == in_words(lookup(metrics, path))
    for cell, baseline in zip(cells[3:], ("copy", "line")):
        if cell:
            assert cell == f"{lookup(metrics, path.replace('.model', f'.{baseline}'))['value']:.3f}"


GRIDS = ROOT / "docs" / "results" / "general_on_grids.md"
BOTH = {
    "task success": ("task", "task_success.success", "task_success.success"),
    "next action": ("accuracy", "next_action.groups.action.accuracy", "next_action.fields.action.categories.accuracy.model"),
    "hidden actions": ("accuracy", "smoothing.groups.action.accuracy", "smoothing.fields.action.categories.accuracy.model"),
    "hidden objects": ("accuracy", "smoothing.groups.object.accuracy", "smoothing.fields.object.categories.accuracy.model"),
    "hidden colors": ("accuracy", "smoothing.groups.color.accuracy", "smoothing.fields.color.categories.accuracy.model"),
    "next observation: objects": (
        "accuracy",
        "forward.groups.object.accuracy",
        "forward.fields.object.categories.accuracy.model",
    ),
}
"""Row of the page's table -> which files, and where they hold the figures of both models."""


@pytest.mark.parametrize("row", BOTH)
def test_the_general_model_on_grids_is_that_of_the_files(row):
    (line,) = [line for line in GRIDS.read_text().splitlines() if line.startswith(f"| {row} |")]
    kind, *paths = BOTH[row]
    for cell, name, path in zip(line.strip("| ").split(" | ")[1:], ("specialist", "general"), paths, strict=True):
        found = lookup(json.loads((GRIDS.with_suffix("") / f"{name}_{kind}.json").read_text()), path)
        assert cell == in_words({"rate": found.get("rate", found.get("value")), "low": found["low"], "high": found["high"]})


def test_the_page_of_evaluation_shows_what_more_context_gains():
    found = json.loads((ROOT / "docs" / "results" / "more_shown" / "metrics.json").read_text())["more_shown"]
    lines = (ROOT / "docs" / "evaluation.md").read_text().splitlines()
    for title, cells in {
        "shown of the rest": [format(entry["shown"], ".0%") for entry in found],
        "nats per hidden element": [format(entry["nats"]["value"], ".3f") for entry in found],
    }.items():
        assert f"| {' | '.join([title, *cells])} |" in lines
    assert all(entry["gain"]["low"] > 0 for entry in found[1:])


def test_the_table_of_all_environments_says_what_its_pages_say():
    page = ROOT / "docs" / "results" / "any_environment.md"
    rows = [line.strip("| ").split(" | ") for line in page.read_text().splitlines() if re.search(r"\(\w+\.md\)[^|]*\|$", line)]
    assert len(rows) == 12
    for *_, any_order, imitation, _seeds, link in rows:
        (name,) = re.findall(r"\((\w+\.md)\)", link)
        told = page.with_name(name).read_text()
        assert any_order in told and imitation in told


def test_the_page_of_the_ladder_says_what_its_study_found():
    page = (ROOT / "docs" / "results" / "ladder.md").read_text()
    files = sorted((ROOT / "docs" / "results" / "ladder" / "full").glob("*/*/*/*/report/metrics.json"))
    assert files
    for path in files:
        found = json.loads(path.read_text())["task_success"]
        share, minutes = found["success"], json.loads(path.with_name("effort.json").read_text())["training_seconds"] / 60
        assert share["count"] == 500
        success = f"{share['rate']:.1%} [{100 * share['low']:.1f}, {100 * share['high']:.1f}]"
        lengths = f"{found['mean_length']:.1f} | {found['bot_length']:.1f}"
        assert f"| {path.parents[4].name} | {success} | {lengths} | {minutes:.0f} |" in page


def test_the_page_of_filling_in_says_how_numbers_were_filled_in():
    page = (ROOT / "docs" / "fill.md").read_text()
    for part in json.loads((ROOT / "docs" / "results" / "fill" / "maze.json").read_text())["parts"]:
        right = "{:.1f}% [{:.1f}, {:.1f}]".format(*(100 * part["right"][key] for key in ("rate", "low", "high")))
        shares = f"{part['expected_accuracy']:.1%} | {right} | {part['calibration_error']:.1%}"
        assert f"| {part['part']} | {part['num_filled']:,} | {part['num_absent']} | {shares} |" in page


def test_the_page_of_the_ladder_says_how_it_is_climbed():
    page = (ROOT / "docs" / "results" / "ladder.md").read_text()
    files = sorted((ROOT / "docs" / "results" / "climbing" / "full").glob("*/*/after_*/*/report/metrics.json"))
    assert {path.parents[4].name for path in files} == {"GoTo", "Pickup", "Synth", "BossLevel"}
    for path in files:
        level, found = path.parents[4].name, json.loads(path.read_text())["task_success"]
        start = ROOT / "docs/results/ladder/full" / level / "all_demonstrations/any_order/seed_0/report/metrics.json"
        shares = [one["success"] for one in (json.loads(start.read_text())["task_success"], found)]
        told = [f"{share['rate']:.1%} [{100 * share['low']:.1f}, {100 * share['high']:.1f}]" for share in shares]
        assert f"| {level} | {told[0]} | {told[1]} | {found['mean_length']:.1f} | {found['bot_length']:.1f} |" in page
    summary = json.loads((ROOT / "docs" / "results" / "climbing" / "full" / "results.json").read_text())
    (goto,) = (table for table in summary["tables"] if table["level"] == "GoTo")
    imitation = goto["rows"][1]["scores"]["task success"]["text"]
    (compared,) = goto["comparisons"]
    difference = compared["rows"][0]["differences"]["task success"]["text"]
    assert goto["rows"][1]["arm"] == "imitation, after GoToLocal"
    assert f"has {imitation} (paired difference {difference})" in page
    curves = json.loads((ROOT / "docs" / "results" / "climbing" / "validation_success.json").read_text())
    goto, pickup = (curves[name]["1000"] for name in ("GoTo, after GoToLocal", "Pickup, after PickupLoc"))
    assert f"succeeds in {goto:.0%} of 50 validation seeds, Pickup's in {pickup:.0%}" in page


@pytest.mark.parametrize("level", ["GoTo", "Pickup"])
def test_the_page_of_the_ladder_says_what_was_in_view_where_agents_failed(level):
    page = (ROOT / "docs" / "results" / "ladder.md").read_text()
    played = json.loads((ROOT / "docs" / "results" / "ladder" / "in_view.json").read_text())[level]
    views = sorted(one["frames_in_view"] for one in played if not one["success"])
    seen = [count for count in views if count]
    assert len(played) == 60 and f"it fails in {len(views)}, " in page and f"in {len(seen)} of " in page
    assert f"for {seen[0]} to {seen[-1]} " in page and f"(median {views[len(views) // 2]})" in page


SKILL_SHARES = {
    "policy: task success": ("policy_alone", ("task_success", "success")),
    "inverse dynamics: action": ("inverse_dynamics_alone", ("inverse_dynamics", "groups", "action", "accuracy")),
    "forward dynamics: changed cells": ("forward_dynamics_alone", ("forward_dynamics", "groups", "changed_cell", "accuracy")),
    "hidden cells with an object": ("hidden_cells_alone", ("smoothing", "groups", "object_cell", "accuracy")),
    "goal reached, mission untold": ("goals_alone", ("goals", "success")),
}


@pytest.mark.parametrize("level", ["go_to_local", "pickup_loc"])
@pytest.mark.parametrize("question", SKILL_SHARES)
def test_one_model_and_specialists_are_those_of_the_files(level, question):
    arm, keys = SKILL_SHARES[question]
    told = []
    for name in ("generalist", arm):
        share = json.loads((ROOT / "docs" / "results" / "skills" / f"{level}_{name}.json").read_text())
        for key in keys:
            share = share[key]
        told.append(f"{share['rate']:.1%} [{100 * share['low']:.1f}, {100 * share['high']:.1f}]")
    line = f"| {question} | {told[0]} | {told[1]} |"
    assert line in (ROOT / "docs" / "results" / "skills.md").read_text()
    assert level != "go_to_local" or line in (ROOT / "README.md").read_text()


@pytest.mark.parametrize(("level", "beginning"), [("go_to_local", "GoToLocal:"), ("pickup_loc", "PickupLoc (5,863 updates):")])
@pytest.mark.parametrize("question", SKILL_SHARES)
def test_one_model_and_specialists_that_trained_for_longer_are_those_of_the_files(level, beginning, question):
    page = ROOT / "docs" / "results" / "skills.md"
    table = page.read_text().split("## Twice")[1].split(beginning)[1].splitlines()[:9]
    (line,) = [line for line in table if line.startswith(f"| {question}")]
    arm, keys = SKILL_SHARES[question]
    for name, cell in zip(("generalist", arm), line.strip("| ").split(" | ")[1:], strict=True):
        path = page.parent / "skills_longer" / f"{level}_{name}.json"
        if cell == "not run":
            assert not path.exists()
            continue
        share = lookup(json.loads(path.read_text()), ".".join(keys))
        assert cell == f"{share['rate']:.1%} [{100 * share['low']:.1f}, {100 * share['high']:.1f}]"


def test_the_page_of_missions_says_what_its_files_say():
    page = (ROOT / "docs" / "results" / "missions.md").read_text()
    rows = re.findall(r"^(\|.*\]\(([\w/]+\.json)\) \|)$", page, flags=re.MULTILINE)
    assert len(rows) == 6
    for line, path in rows:
        found = json.loads((ROOT / "docs" / "results" / path).read_text())["missions"]
        for name in ("first_fits", "among_fitting"):
            share = found[name]
            assert share["count"] == 500
            assert f"| {share['rate']:.1%} [{100 * share['low']:.1f}, {100 * share['high']:.1f}] |" in line
        assert f"| {found['num_missions']} | {found['mean_fitting']:.1f} |" in line
    for name in ("go_to_local_success", "pickup_loc_success", "pickup_loc_ten_passes_seed_1", "pickup_loc_ten_passes_seed_2"):
        share = json.loads((ROOT / "docs" / "results" / "missions" / f"{name}.json").read_text())["task_success"]["success"]
        assert f"{share['rate']:.1%} [{100 * share['low']:.1f}, {100 * share['high']:.1f}]" in page


def test_the_page_of_experiments_says_how_often_pickup_loc_succeeds():
    page = (ROOT / "EXPERIMENTS.md").read_text()
    for seed in range(3):
        found = json.loads((ROOT / "docs" / "results" / "pickup_loc" / f"seed_{seed}.json").read_text())["task_success"]
        share = found["success"]
        assert share["count"] == 1000
        assert f"{share['rate']:.1%} [{100 * share['low']:.1f}, {100 * share['high']:.1f}]" in page
