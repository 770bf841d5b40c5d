"""Long conversations in parts: nothing is lost, nothing is asked twice, and each question has a history."""

import pytest
from toy_conversations import conversation, wordpiece

from anyorder.elements.text.codec import TextCodec
from anyorder.elements.text.form import ChatForm
from anyorder.elements.text.units import TooLong, in_parts, shorten, text_units
from anyorder.errors import AnyOrderError

WORDS = ["red", "ball", "box", "door", "key", "yellow", "blue", "green"]


def form(observation=0):
    marks = {role: (f"{role} ", "") for role in ("system", "user", "assistant")}
    return ChatForm(marks, rooms={"observation": observation, "action": 4})


def units(num_actions, last_observation=True, observation=0):
    codec = TextCodec(wordpiece(), mask_id=4, end_id=3, pad_id=0)
    said = [WORDS[number % 8] for number in range(2 * num_actions + last_observation)]
    return text_units(conversation(*said), codec, form(observation))


@pytest.mark.parametrize("num_actions", [1, 2, 5, 9, 30])
@pytest.mark.parametrize("last_observation", [True, False])
@pytest.mark.parametrize("room", [0, 4])
def test_every_turn_is_asked_about_once(num_actions, last_observation, room):
    whole = units(num_actions, last_observation, room)
    step, mission = sum(map(len, whole[1:3])), len(whole[0])
    parts = in_parts(whole, mission + 4 * step + 3)
    asked = [unit.text.ids for part in parts for unit in part if unit.asked]
    assert asked == [unit.text.ids for unit in whole if unit.asked]
    for number, part in enumerate(parts):
        assert sum(map(len, part)) <= mission + 4 * step + 3
        assert part[0] == whole[0] and [unit.step for unit in part][1] == 0
        first_asked = min(unit.step for unit in part if unit.asked)
        assert first_asked >= (1 if number else 0), "the later half of the part before comes first"


@pytest.mark.parametrize("num_actions", [2, 5, 9, 30])
@pytest.mark.parametrize("last_observation", [True, False])
@pytest.mark.parametrize("first_steps", [1, 2])
def test_the_first_steps_stand_in_every_part(num_actions, last_observation, first_steps):
    whole = units(num_actions, last_observation)
    step, mission = sum(map(len, whole[1:3])), len(whole[0])
    limit = mission + (first_steps + 4) * step + 3
    parts = in_parts(whole, limit, first_steps=first_steps)
    asked = [unit.text.ids for part in parts for unit in part if unit.asked]
    assert asked == [unit.text.ids for unit in whole if unit.asked]
    said = [[unit.text.ids for unit in part] for part in parts]
    for number, part in enumerate(parts):
        assert sum(map(len, part)) <= limit
        assert said[number][: 1 + 2 * first_steps] == [unit.text.ids for unit in whole[: 1 + 2 * first_steps]]
        assert list(dict.fromkeys(unit.step for unit in part)) == [-1, *range(part[-1].step + 1)]


@pytest.mark.parametrize("first_steps", [0, 1, 3, 40])
def test_an_agent_sees_the_first_and_the_last_steps(first_steps):
    whole = units(30, last_observation=False)
    step, mission = sum(map(len, whole[1:3])), len(whole[0])
    stay = min(first_steps, 29)
    kept = shorten(whole, mission + (stay + 5) * step, first_steps=first_steps)
    expected = [whole[0], *whole[1 : 1 + 2 * stay], *whole[1 + 2 * stay :][-10:]]
    assert [unit.text.ids for unit in kept] == [unit.text.ids for unit in expected]
    assert list(dict.fromkeys(unit.step for unit in kept)) == [-1, *range(min(30, stay + 5))]


def test_first_steps_that_do_not_fit_are_named():
    with pytest.raises(TooLong, match="toy: the mission, the first 3 steps and the last steps that are asked about must fit"):
        shorten(units(9), 30, "toy", first_steps=3)
    with pytest.raises(TooLong, match="toy: the mission, the first 3 steps and each step must fit"):
        in_parts(units(9), 30, "toy", first_steps=3)
    with pytest.raises(AnyOrderError, match="first_steps must be at least 0; found -1"):
        ChatForm({}, first_steps=-1)


def test_what_fits_is_one_part():
    whole = units(5)
    assert in_parts(whole, sum(map(len, whole))) == [whole]


def test_observations_without_room_are_never_asked_about():
    assert [unit.asked for unit in units(2)] == [False, False, True, False, True, False]
    assert [unit.room for unit in units(2, observation=4)][1:] == [4] * 5
    with pytest.raises(AnyOrderError, match="of action, at least 1; found"):
        ChatForm({}, rooms={"observation": 0, "action": 0})


def test_a_step_that_does_not_fit_is_named():
    with pytest.raises(TooLong, match="a trajectory: the mission and each step must fit into 8 tokens; found"):
        in_parts(units(2), 8)
