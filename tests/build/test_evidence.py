"""By which evidence a checkpoint tells missions."""

import pytest

from anyorder.build.evidence import mission_evidence
from anyorder.inference.missions import OfActions, OfBoth, OfWords

TOLD = ["go", "go to it", "go to it"]
WORDS, ACTIONS = OfWords({1: 1 / 3, 3: 2 / 3}), OfActions({"go": 1 / 3, "go to it": 2 / 3})


def header(mixture, sets=None):
    return {"config": {"masking": {"mixture": mixture}, "data": {"path": "data/somewhere", "sets": sets}}}


@pytest.mark.parametrize(
    "one",
    [
        header({"cell": 0.5, "mission_words": 0.5}),
        header({"words": {"weight": 1, "strategy": {"mission_words": {"rate": 1.0}}}}),
        header({"late": {"weight": 1, "strategy": {"stages": {"first": "cell", "then": "mission_words", "at": 0.5}}}}),
        header({"cell": 1}, sets=[{"path": "data/other", "masking": {"mission_words": 1}}]),
    ],
)
def test_a_model_that_learned_words_is_asked_for_them(one):
    assert mission_evidence(one, iter(TOLD)) == WORDS


@pytest.mark.parametrize(
    "one",
    [
        header({"next_step": 0.5, "mission_words": 0.5}),
        header({"mission_words": 1}, sets=[{"path": "data/other", "masking": {"mixture": {"next_action": 1}}}]),
    ],
)
def test_one_that_learned_to_act_too_is_asked_for_both(one):
    assert mission_evidence(one, iter(TOLD)) == OfBoth(WORDS, ACTIONS)


def test_a_folder_of_that_name_teaches_no_words():
    folder = {"path": "mission_words"}
    named = {"config": {"masking": {"mixture": {"cell": 1}}, "data": {**folder, "sets": [folder]}}}
    assert mission_evidence(named, TOLD) == ACTIONS


@pytest.mark.parametrize("one", [header({"next_step": 1, "goals": {"strategy": {"goal_conditioned": {"mission": True}}}}), {}])
def test_others_are_asked_what_a_mission_makes_of_the_actions(one):
    assert mission_evidence(one, TOLD) == ACTIONS
