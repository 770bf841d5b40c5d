"""The page of text worlds says what its files say."""

import json
from pathlib import Path

import pytest

from anyorder.evaluation.statistics import Proportion

ROOT = Path(__file__).parent.parent
PAGES_OF_TEXT_WORLDS = "".join((ROOT / "docs" / place / "text_worlds.md").read_text() for place in (".", "results"))
WORLDS = ROOT / "docs" / "results" / "text_worlds"


@pytest.mark.parametrize("name", ["coin_modes", "coin_minilm_modes", "simonsays_minilm_modes"])
def test_the_page_of_text_worlds_says_what_hidden_tokens_cost(name):
    found = json.loads((WORLDS / f"{name}.json").read_text())
    lines = PAGES_OF_TEXT_WORLDS.splitlines()
    told = {"actions", "observations"}
    ways = {way: kinds for way, kinds in found.items() if isinstance(kinds, dict) and told & kinds.keys()}
    assert len(ways) == 5
    for way, kinds in ways.items():
        for kind in told & kinds.keys():
            score = kinds[kind]
            shares = [score[name] for name in ("accuracy", "most_frequent", "ngram", "copy", "knowable", "right_of_knowable")]
            nlls = [score[name] for name in ("nll_per_token", "ngram_nll_per_token", "copy_nll_per_token")]
            cells = [f"{100 * share['rate']:.1f}%" for share in shares] + [f"{nll:.2f}" for nll in nlls]
            assert f"| {way}, {kind} | {score['accuracy']['count']:,} | {' | '.join(cells)} |" in lines


def test_the_page_of_text_worlds_says_what_its_sequence_gave_again():
    (one,) = json.loads((WORLDS / "coin_again.json").read_text())["task_success"]
    share = Proportion(one["success"]["successes"], one["success"]["count"])
    assert share.count == 200 and f"wins {share} in {one['steps']['value']:.0f} steps" in PAGES_OF_TEXT_WORLDS


def test_the_page_of_text_worlds_says_how_ways_to_act_do():
    played = json.loads((WORLDS / "coin_minilm_world_episodes.json").read_text())
    won, steps = sum(played["success"][:16]), sum(played["length"][:16]) / 16
    rows = [f"| `scoring` | {won} of 16, {Proportion(won, 16)} | {steps:.1f} | "]
    for way in ("constrained", "generating"):
        found = json.loads((WORLDS / f"coin_minilm_{way}.json").read_text())
        (one,) = found["task_success"]
        assert (found["config"]["acting"], one["success"]["count"]) == (way, 16)
        won, seconds = one["success"]["successes"], one["seconds_per_decision"]["value"]
        rows.append(f"| `{way}` | {won} of 16, {Proportion(won, 16)} | {one['steps']['value']:.1f} | {seconds:.2f} |")
    assert all(row in PAGES_OF_TEXT_WORLDS for row in rows)


def test_the_page_of_text_worlds_says_what_pretraining_is_worth():
    sides = [json.loads((WORLDS / f"simonsays_{name}_modes.json").read_text()) for name in ("minilm", "minilm_random_weights")]
    for way in ("next action", "forward", "filtering", "smoothing", "infilling"):
        for kind in {"actions", "observations"} & sides[0][way].keys():
            cells = []
            for score in (side[way][kind] for side in sides):
                right = Proportion(score["accuracy"]["successes"], score["accuracy"]["count"])
                cells += [f"{right}", f"{score['right_of_knowable']['rate']:.1%}", f"{score['nll_per_token']:.2f}"]
            assert f"| {way}, {kind} | {' | '.join(cells)} |" in PAGES_OF_TEXT_WORLDS
    (won,) = json.loads((WORLDS / "simonsays_minilm_random_weights.json").read_text())["task_success"]
    played = json.loads((WORLDS / "simonsays_minilm_random_weights_episodes.json").read_text())["success"]
    share = Proportion(sum(played), len(played))
    assert won["success"]["successes"] == share.successes
    assert f"the other {share.successes} ({share})" in " ".join(PAGES_OF_TEXT_WORLDS.split())


def test_the_page_of_text_worlds_says_what_lost_words_cost():
    lines = PAGES_OF_TEXT_WORLDS.splitlines()
    for one in json.loads((WORLDS / "coin_robustness.json").read_text())["robustness"]:
        share, score, steps = one["corrupted"], one["score"]["value"], one["steps"]["value"]
        told = f"{100 * share['rate']:.1f}% [{100 * share['low']:.1f}, {100 * share['high']:.1f}]"
        row = f"| {one['kind']} {one['strength']:g} | {one['form']} | {told} | {score:.2f} | {steps:.1f} |"
        assert row in lines


@pytest.mark.parametrize(
    ("study", "column", "worse"),
    [("text_world_arms", "success, words 0.3 told", {"mixture"}), ("science_arms", "score", {"prefix", "unit"})],
)
def test_the_page_of_text_worlds_says_how_the_arms_did(study, column, worse):
    lines = PAGES_OF_TEXT_WORLDS.splitlines()
    (table,) = json.loads((ROOT / "docs" / "results" / study / "full" / "results.json").read_text())["tables"]
    columns = ["task success", column, "demonstrated action chosen", "next action, tokens"]
    columns += ["hidden words of observations", "next observation, tokens"]
    for row in table["rows"]:
        assert f"| {row['arm']} | {' | '.join(row['scores'][name]['text'] for name in columns)} |" in lines
    for row in table["comparisons"][0]["rows"]:
        assert row["differences"]["task success"]["text"] in PAGES_OF_TEXT_WORLDS
        assert row["differences"]["task success"]["verdict"] == ("worse" if row["arm"] in worse else "not distinguishable")


@pytest.mark.parametrize("game", ["coin", "simonsays"])
def test_minilm_says_more_of_hidden_words_than_the_baselines_and_acts(game):
    """The intervals leave out what was promised: 80% of the knowable observations, 60% of next actions, 40% success."""
    found = json.loads((WORLDS / f"{game}_minilm_modes.json").read_text())
    for way in ("next action", "forward", "filtering", "smoothing", "infilling"):
        for kind in {"actions", "observations"} & found[way].keys():
            score = found[way][kind]
            assert score["accuracy"]["rate"] > max(score["ngram"]["rate"], score["copy"]["rate"])
            assert score["nll_per_token"] < min(score["ngram_nll_per_token"], score["copy_nll_per_token"])
    assert all(found[way]["observations"]["right_of_knowable"]["low"] > 0.8 for way in ("forward", "filtering", "smoothing"))
    assert found["next action"]["actions"]["accuracy"]["low"] > 0.6
    (won,) = json.loads((WORLDS / f"{game}_minilm_world.json").read_text())["task_success"]
    played = json.loads((WORLDS / f"{game}_minilm_world_episodes.json").read_text())
    share, page = won["success"], PAGES_OF_TEXT_WORLDS
    assert (share["successes"], share["count"]) == (sum(played["success"]), len(played["success"])) and share["low"] > 0.4
    assert f"{share['rate']:.1%} [{100 * share['low']:.1f}, {100 * share['high']:.1f}]" in page


def test_the_page_says_how_often_minilm_does_what_was_demonstrated():
    (choice,) = json.loads((WORLDS / "coin_minilm_modes.json").read_text())["choices"]
    page = PAGES_OF_TEXT_WORLDS
    assert f"the demonstrated action in {choice['agent']['rate']:.1%} of {choice['agent']['count']}" in page


def test_the_page_of_text_worlds_says_what_minilm_does_in_scienceworld():
    page = PAGES_OF_TEXT_WORLDS
    found = json.loads((WORLDS / "scienceworld_minilm.json").read_text())["task_success"]
    drawn = json.loads((WORLDS / "scienceworld_random.json").read_text())
    played = json.loads((WORLDS / "scienceworld_minilm_episodes.json").read_text())
    assert len(found) == 7 and sum(played["success"]) == sum(one["success"]["successes"] for one in found)
    for one in found:
        name, share, score = one["task"].removeprefix("scienceworld/").removesuffix("-v0"), one["success"], one["score"]
        low, high = 100 * share["low"], 100 * share["high"]
        won = f"{share['successes']} of {share['count']}, {share['rate']:.1%} [{low:.1f}, {high:.1f}]"
        scored = f"{score['value']:.2f} [{score['low']:.2f}, {score['high']:.2f}] | {one['steps']['value']:.0f}"
        (row,) = [line for line in page.splitlines() if line.startswith(f"| `{name}`, ")]
        assert row.endswith(f"| {won} | {scored} | {sum(drawn[name]['scores']) / len(drawn[name]['scores']):.2f} |")


def test_the_page_of_text_worlds_says_what_published_agents_score_in_scienceworld():
    page = PAGES_OF_TEXT_WORLDS
    found = json.loads((WORLDS / "scienceworld_minilm.json").read_text())["task_success"]
    scores = {one["task"].removeprefix("scienceworld/").removesuffix("-v0"): one["score"] for one in found}
    drawn = json.loads((WORLDS / "scienceworld_random.json").read_text())
    published = json.loads((WORLDS / "scienceworld_published.json").read_text())["scores"]
    assert set(published) == set(scores)
    for name, row in published.items():
        score = scores[name]
        assert score["value"] == -1 == score["high"] or score["value"] > 0, "an own score below 0 counts as 0: see the page"
        chance = sum(max(value, 0) for value in drawn[name]["scores"]) / len(drawn[name]["scores"])
        assert (
            "| " + " | ".join([f"`{name}`", *(f"{value:.2f}" for value in (max(score["value"], 0), chance, *row))]) + " |"
            in page
        )


def test_the_page_of_text_worlds_says_what_minilm_wins():
    page = PAGES_OF_TEXT_WORLDS
    (found,) = json.loads((WORLDS / "coin_minilm.json").read_text())["task_success"]
    played, share = json.loads((WORLDS / "coin_minilm_episodes.json").read_text()), found["success"]
    assert (share["successes"], share["count"]) == (sum(played["success"]), len(played["success"]))
    assert played["seed"] == list(range(30_000_000, 30_000_000 + share["count"]))
    rate = f"{share['rate']:.1%} [{100 * share['low']:.1f}, {100 * share['high']:.1f}] in {found['steps']['value']:.0f} steps"
    assert f"wins {share['successes']} of the first {share['count']}" in page and rate in page
    assert f"a decision {found['seconds_per_decision']['value']:.2f} s" in page


@pytest.mark.parametrize("game", ["simonsays", "peckingorder"])
def test_the_page_of_text_worlds_says_how_often_a_game_with_unseen_words_is_won(game):
    page = PAGES_OF_TEXT_WORLDS
    (found,) = json.loads((WORLDS / f"{game}.json").read_text())["task_success"]
    played, share = json.loads((WORLDS / f"{game}_episodes.json").read_text()), found["success"]
    assert (share["successes"], share["count"]) == (sum(played["success"]), len(played["success"])) and share["count"] == 200
    assert played["seed"] == list(range(30_000_000, 30_000_200))
    rate = f"{share['rate']:.1%} [{100 * share['low']:.1f}, {100 * share['high']:.1f}] in {found['steps']['value']:.0f}"
    assert f"| {rate} | {found['score']['value']:.2f} |" in page
