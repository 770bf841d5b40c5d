"""Copies of conversations name things otherwise, and everything else stays as it was."""

import re
from dataclasses import replace

import pytest
from toy_conversations import conversation

from anyorder.elements.text.renaming import LONGEST_NEW_NAME, with_renamed

FOODS = ["apple", "grape", "peach", "orange", "papaya", "banana"]


def episode(number):
    food = FOODS[number % len(FOODS)]
    said = f"You see 3ml of {food}, and 12 {food} more. {food.capitalize()}!"
    return conversation(said, f"take {food}", f"You take the {food}.", source=f"toy:{number}")


EPISODES = [episode(number) for number in range(12)]


def texts(trajectory):
    return [turn.text for turn in trajectory.turns]


def names(copies):
    return [re.fullmatch(r"take (\w+)", texts(copy)[2])[1] for copy in copies]


def test_no_copies_change_nothing():
    assert with_renamed(EPISODES, 0, 0.9, seed=0) == EPISODES


def test_a_word_has_the_same_new_name_everywhere_and_what_is_common_stays():
    found = with_renamed(EPISODES, 20, 0.9, seed=0)
    assert found[::21] == EPISODES and len(found) == 12 * 21
    for number, one in enumerate(found):
        source = EPISODES[number // 21]
        (old,), (new,) = names([source]), names([one])
        assert one.source == source.source and [turn.asked for turn in one.turns] == [turn.asked for turn in source.turns]
        renamed = [text.replace(old, new).replace(old.capitalize(), new.capitalize()) for text in texts(source)]
        assert texts(one) == renamed
    copies = [name for number, name in enumerate(names(found)) if number % 21]
    assert 0.3 < sum(name not in FOODS for name in copies) / len(copies) < 0.7, "a copy draws the share of new names"
    assert len(set(copies)) > 60 and all(0 < len(name) <= LONGEST_NEW_NAME for name in copies if name not in FOODS)


def test_new_names_depend_on_the_seed_and_the_number_alone():
    found = with_renamed(EPISODES, 4, 0.9, seed=1)
    assert found == with_renamed(EPISODES, 4, 0.9, seed=1) != with_renamed(EPISODES, 4, 0.9, seed=2)
    assert with_renamed(EPISODES[:6] * 2, 4, 0.9, seed=1)[:5] == found[:5]


def test_two_words_never_get_one_name():
    short = [conversation("a b c d", "go a", "e f g h", source=f"toy:{number}") for number in range(2)]
    short += [conversation("none", "wait", "none", source="toy:2")] * 20
    for copy in with_renamed(short, 30, 0.5, seed=0)[:62]:
        assert len(set(texts(copy)[1].split() + texts(copy)[3].split())) == 8


def test_a_copy_says_nothing_else_about_its_episode():
    told = [replace(one, others='{"played": 1}') for one in EPISODES]
    found = with_renamed(told, 1, 0.9, seed=0)
    assert [one.others for one in found[:2]] == ['{"played": 1}', "{}"]


def test_what_missions_differ_in_is_renamed_however_common_it_is():
    def to(room):
        told = conversation("Doors lead to the kitchen and to the cellar.", f"go to {room}", "You won.", source=f"toy:{room}")
        return replace(told, turns=(replace(told.turns[0], text=f"Find the {room}."), *told.turns[1:]))

    found = with_renamed([to("kitchen"), to("cellar")] * 10, 20, 0.9, seed=0)
    copies = [texts(one) for number, one in enumerate(found) if number % 21]
    assert {mission.split()[-1] for mission, *_ in copies} > {"kitchen.", "cellar."}
    assert all(mission.split()[-1][:-1] == action.split()[-1] for mission, _, action, _ in copies), "the same name everywhere"
    assert all(one[0].startswith("Find the ") and one[1].startswith("Doors lead to the ") for one in copies)


@pytest.mark.parametrize("common", [0.0, 0.1])
def test_words_that_are_common_enough_keep_their_names(common):
    assert all(texts(one) == texts(EPISODES[number // 3]) for number, one in enumerate(with_renamed(EPISODES, 2, common, 0)))
