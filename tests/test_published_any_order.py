"""The page of any order says what its studies found."""

import json
import re
from pathlib import Path

import pytest

from anyorder.evaluation.statistics import Proportion

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(("level", "name"), [("go_to_local", "GoToLocal"), ("pickup_loc", "PickupLoc")])
def test_the_page_of_any_order_says_how_imitation_of_10000_and_one_model_do(level, name):
    page = (ROOT / "docs" / "results" / "any_order.md").read_text()
    folder = ROOT / "docs" / "results" / "skills_longer"
    found = [json.loads((folder / f"{level}_{arm}.json").read_text()) for arm in ("policy_alone", "generalist")]
    shares = [one["task_success"]["success"] for one in found]
    imitation, one_model = (Proportion(share["successes"], share["count"]) for share in shares)
    assert f"| {name} | {imitation} | | {one_model} (the same) | [one seed](skills.md#twice-the-training) |" in page


@pytest.mark.parametrize("study", ["films", "films_muon"])
def test_the_page_of_any_order_says_what_the_studies_of_films_found(study):
    page = (ROOT / "docs" / "results" / "any_order.md").read_text()
    found = json.loads((ROOT / "docs" / "results" / study / "full" / "results.json").read_text())
    for table in found["tables"]:
        scores = {row["arm"]: row["scores"]["task success"]["text"] for row in table["rows"]}
        assert all(scores[arm] in page for arm in ("imitation", "any order", "imitation of labels", "any order, filled"))
        for title, arm in (("Against imitation", "any order"), ("Filled in against labelled", "any order, filled")):
            (compared,) = (one for one in table["comparisons"] if one["title"] == title)
            (row,) = (one for one in compared["rows"] if one["arm"] == arm)
            assert row["differences"]["task success"]["text"] in page


def test_the_page_of_any_order_says_what_2000_demonstrations_teach():
    page = (ROOT / "docs" / "results" / "any_order.md").read_text()
    found = json.loads((ROOT / "docs" / "results" / "labelled" / "full" / "results.json").read_text())
    assert [table["level"] for table in found["tables"]] == ["PickupLoc", "GoToLocal"]
    for table in found["tables"]:
        assert all(row["scores"]["task success"]["text"] in page for row in table["rows"])
        (compared,) = table["comparisons"]
        assert all(row["differences"]["task success"]["text"] in page for row in compared["rows"] if row.get("differences"))


@pytest.mark.parametrize(
    ("study", "levels"), [("labelled", ("PickupLoc", "GoToLocal")), ("lost_cells", ("GoToLocal", "PickupLoc"))]
)
def test_the_page_of_any_order_says_what_is_learned_in_equal_seconds(study, levels):
    page = (ROOT / "docs" / "results" / "any_order.md").read_text()
    found = json.loads((ROOT / "docs" / "results" / study / "full" / "results.json").read_text())
    timed = {one["where"]: one["equal_seconds"] for one in reversed(found["experiments"])}  # the first of each level
    titles = [f"{level} after {timed[level]['seconds']:.0f} s | updates" for level in levels]
    assert f"| arm | {titles[0]} | {titles[1]} |" in page
    for rows in zip(*(timed[level]["rows"] for level in levels), strict=True):
        cells = [f"{Proportion(row['success']['successes'], row['success']['count'])} | {row['updates']:,.0f}" for row in rows]
        assert f"| {rows[0]['label']} | {cells[0]} | {cells[1]} |" in page


def test_the_page_of_any_order_says_what_it_is_that_helps():
    page = (ROOT / "docs" / "results" / "any_order.md").read_text()
    found = json.loads((ROOT / "docs" / "results" / "films_controls" / "full" / "results.json").read_text())
    (table,) = found["tables"]
    for row in table["rows"]:
        if row["arm"] != "inverse dynamics":
            assert [run["seed"] for run in row["runs"]] == [0, 1, 2]
            assert f"| {row['arm']} | {row['scores']['task success']['text']} | " in page
    (labels,) = (one for one in table["comparisons"] if one["title"] == "Against imitation of labels")
    said = {row["arm"]: row["differences"]["task success"] for row in labels["rows"]}
    assert all(one["text"] in page for one in said.values())
    assert [arm for arm, one in said.items() if one["verdict"] != "not distinguishable"] == ["imitation of labels, cells lost"]


@pytest.mark.parametrize("level", ["GoToRedBall", "GoToLocal", "PickupLoc"])
def test_the_page_of_any_order_says_how_many_demonstrations_it_takes(level):
    name = "demonstrations_" + re.sub("(?<!^)([A-Z])", r"_\1", level).lower()
    page = (ROOT / "docs" / "results" / "any_order.md").read_text()
    (line,) = [line for line in page.splitlines() if line.startswith(f"| [{level}]({name}/")]
    found = json.loads((ROOT / "docs" / "results" / name / "full" / "results.json").read_text())
    shares = [table["rows"][0]["scores"]["task success"]["text"] for table in found["tables"]]
    assert f"| {', '.join(shares)} |" in line.replace("**", "")
    (fitted,) = found["efficiency"]
    assert f"| {fitted['needed']['text']} |" in line
    low, high = fitted["babyai"]
    assert f"| {low // 1000} to {high // 1000} thousand |" in line


def test_the_page_of_any_order_says_what_foreseeing_costs():
    page = " ".join((ROOT / "docs" / "results" / "any_order.md").read_text().split())
    folder = ROOT / "docs" / "results" / "films_controls" / "foreseeing"
    played = [json.loads((folder / name).read_text()) for name in ("episodes.json", "direct_episodes.json")]
    seeds = list(range(30_000_000, 30_000_200))
    assert [one["seed"][:200] for one in played] == [seeds, seeds] and len(played[0]["seed"]) == 200
    shares = [Proportion(sum(one["success"][:200]), 200) for one in played]
    steps = [f"{sum(one['length'][:200]) / 200:.1f}" for one in played]
    assert f"succeed in {shares[0]} of the first 200 episodes, in {steps[0]} steps on average" in page
    assert f"asked for the action, in {shares[1]}, in {steps[1]} " in page


def test_the_page_of_any_order_says_what_filling_in_lost_cells_is_worth():
    page, results = (ROOT / "docs" / "results" / "any_order.md").read_text(), ROOT / "docs" / "results" / "lost_cells"
    tables = json.loads((results / "full" / "results.json").read_text())["tables"]
    assert [table["level"] for table in tables] == ["GoToLocal", "PickupLoc"]
    lines = [line.removeprefix("| ").removesuffix(" |").split(" | ") for line in page.splitlines()]
    names = ["imitation", "any order", "imitation, cells filled in", "any order, cells filled in"]
    for name, *rows in zip(names, *(table["rows"] for table in tables), strict=True):
        cells = [name]
        for row in rows:
            seeds = [json.loads((results / run["files"][0]).read_text()) for run in row["runs"]]
            by_seed = ", ".join(f"{100 * one['task_success']['success']['rate']:.1f}" for one in seeds)
            cells += [row["scores"]["task success"]["text"], by_seed, row["scores"]["success, occlusion 0.3 told"]["text"]]
        assert cells in lines
    for table in tables:
        compared = {one["title"]: {row["arm"]: row["differences"] for row in one["rows"]} for one in table["comparisons"]}
        against = compared["Against filled imitation"]["any order, filled"]["task success"]
        assert against["verdict"] == "better" and f"[{against['text']}](#lost-cells)" in page
        assert compared["Against imitation"]["any order, filled"]["task success"]["verdict"] == "better"
    whole = json.loads((ROOT / "docs" / "results" / "nothing_lost" / "full" / "results.json").read_text())["tables"]
    assert all(row["scores"]["task success"]["text"] in page for table in whole for row in table["rows"])
    fills = [json.loads(path.read_text())["parts"][0] for path in sorted((results / "fills").glob("*.json"))]
    assert len(fills) == 6 and {part["part"] for part in fills} == {"object"}
    right, sure = [part["right"]["rate"] for part in fills], [part["expected_accuracy"] for part in fills]
    assert f"{100 * min(right):.1f} to {max(right):.1%} of those are right" in page
    assert f"{100 * min(sure):.1f} to {max(sure):.1%}" in page


def test_the_page_of_any_order_says_that_nobody_gains_at_levels_that_were_never_seen():
    page, results = (ROOT / "docs" / "results" / "any_order.md").read_text(), ROOT / "docs" / "results" / "unseen_levels"
    tables = json.loads((results / "full" / "results.json").read_text())["tables"]
    for rows in zip(*(table["rows"] for table in tables), strict=True):
        scores = [row["scores"]["task success"]["text"] for row in rows]
        assert f"| {rows[0]['arm']} | {' | '.join(scores)} |\n" in page
    for table in tables:
        (compared,) = table["comparisons"]
        found = [row["differences"]["task success"] for row in compared["rows"] if row.get("differences")]
        assert len(found) == 4 and all(one["verdict"] == "not distinguishable" for one in found)
    played = {"GoToObj": 300, "GoToRedBall": 300, "PickupDist": 300, "PickupLoc": 300, "OpenDoor": 100}
    for level, episodes in played.items():
        shares = []
        for arm in ("imitation", "any_order"):
            files = [results / "zero_shot" / f"{arm}_seed_{seed}_{level}.json" for seed in range(3)]
            won = [json.loads(path.read_text())["task_success"]["success"] for path in files]
            assert all(share["count"] == episodes for share in won)
            shares.append(f"{Proportion(sum(share['successes'] for share in won), 3 * episodes)}")
        assert f"| {level} | {' | '.join(shares)} |\n" in page


def test_the_page_of_any_order_says_what_random_play_costs():
    page = (ROOT / "docs" / "results" / "any_order.md").read_text()
    names = [
        "imitation of the 200",
        "imitation of the 200 and of lucky play",
        "any order, from the 200",
        "any order, play as well",
    ]
    shares, compared = [], []
    for study in ("play", "play_pickup_loc"):
        (table,) = json.loads((ROOT / "docs" / "results" / study / "full" / "results.json").read_text())["tables"]
        shares.append([row["scores"]["task success"]["text"] for row in table["rows"]])
        compared.append(
            {
                one["title"]: {row["arm"]: row["differences"]["task success"] for row in one["rows"]}
                for one in table["comparisons"]
            }
        )
        against = compared[-1]["Against imitation"]
        assert f"[{against['any order, play']['text']}](#random-play)" in page
    for name, local, loc in zip(names, *shares, strict=True):
        assert re.search(re.escape(f"| {name} | {local} | ") + r"[\d., ]+" + re.escape(f" | {loc} | "), page)
    assert f"({compared[0]['Against imitation']['imitation, lucky play']['text']})" in page
    costs, changes = (found["What play is worth"]["any order, play"] for found in compared)
    assert (costs["verdict"], costs["text"]) == ("worse", "-11.0 [-16.2, -5.1]") and "11.0 points [5.1, 16.2] behind" in page
    assert changes["verdict"] == "not distinguishable" and f"less without {changes['text']})" in page.replace("\n", " ")
    assert {one["verdict"] for rows in compared[1].values() for one in rows.values()} == {"not distinguishable"}


@pytest.mark.parametrize("study", ["films_mazes", "films_mazes_crude"])
def test_the_page_of_any_order_says_what_films_of_a_maze_give(study):
    page = (ROOT / "docs" / "results" / "any_order.md").read_text()
    found = json.loads((ROOT / "docs" / "results" / study / "full" / "results.json").read_text())
    (table,) = found["tables"]
    names = {
        "imitation": "imitation of the 20",
        "any order": "any order, from the 20",
        "imitation of labels": "imitation of the 20 and of labelled films",
        "any order, filled": "any order, films filled in",
    }
    scores = {row["arm"]: row["scores"]["task success"]["text"] for row in table["rows"]}
    assert "\n".join(f"| {name} | {scores[arm]} |" for arm, name in names.items()) in page
    compared = {one["title"]: {row["arm"]: row["differences"] for row in one["rows"]} for one in table["comparisons"]}
    behind = compared["Filled in against labelled"]["any order, filled"]["task success"]
    assert behind["verdict"] == "worse"
    assert study == "films_mazes_crude" or f"[{behind['text']}, one seed](#films-of-a-maze)" in page
    alone = compared["Against imitation"]["any order"]["task success"]["text"].removeprefix("+")
    said = {"films_mazes": alone.replace(" [", " points ["), "films_mazes_crude": f"once more for this study, by {alone}"}
    assert said[study] in " ".join(page.split())


def test_the_page_of_any_order_says_how_crude_the_labels_of_a_maze_are():
    page = " ".join((ROOT / "docs" / "results" / "any_order.md").read_text().split())
    folder = ROOT / "docs" / "results" / "films_mazes_crude" / "full"
    filled = json.loads((folder / "results.json").read_text())["filled"]
    assert [one["arm"] for one in filled] == ["inverse dynamics", "any order, exact"]
    right = [" and ".join(f"{100 * part['right']['rate']:.1f}" for part in one["parts"]) for one in filled]
    assert f"{right[0]}% (inverse dynamics) and {right[1]}% (any order)" in page
    expected = [" and ".join(f"{100 * part['expected_accuracy']:.1f}" for part in one["parts"]) for one in filled]
    assert f"({expected[0]}%, {expected[1]}%)" in page
