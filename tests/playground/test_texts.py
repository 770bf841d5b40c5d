"""Conversations on the page: as they were recorded, and answered as the model answers."""

from dataclasses import replace
from itertools import product

import pytest
import torch

from anyorder.elements.text.form import ChatForm
from anyorder.errors import AnyOrderError
from anyorder.inference.decoding import ask
from anyorder.inference.word_answers import likeliest, words_of
from anyorder.masking.order import Role
from anyorder.masking.queries import QUERIES, NextActionQuery
from anyorder.playground.about import about
from anyorder.playground.text_scenes import TextScenes
from anyorder.playground.wire import Recorded

SOURCE = {"kind": "recorded", "number": 0}
OPTIONS = {
    "goal_conditioned": {"step": 0, "goal_step": 2},
    "waypoints": {"step": 0, "waypoints": [2]},
    "infill": {"start": 1, "stop": 2},
    "hidden_cells": {"rate": 0.5},
}


@pytest.fixture
def told(text_client):
    def post(what, **body):
        response = text_client.post(f"/api/{what}", json=body)
        assert response.status_code == 200, response.text
        return response.json()

    return post


@pytest.fixture
def refused(text_client):
    def post(what, **body):
        response = text_client.post(f"/api/{what}", json=body)
        assert 400 <= response.status_code < 500 and list(response.json()) == ["error"], response.text
        return response.json()["error"]

    return post


def scene(text_scenes, number=0, part=0):
    return text_scenes.scene(Recorded(kind="recorded", number=number, part=part))


def places(turn):
    return [element for word in turn["words"] for element in word["elements"]] + turn["filling"]


def with_roles(roles, elements, role=Role.TARGET):
    return "".join(str(int(role)) if number in elements else digit for number, digit in enumerate(roles))


def asked(told, source, elements, **more):
    roles = with_roles(told("episode", source=source)["roles"], elements)
    return told("answer", source=source, asked={"kind": "roles", "roles": roles}, **more)


def test_a_conversation_is_told_as_it_was_recorded(told, text_scenes):
    for number, whole in enumerate(text_scenes.recorded[:2]):
        shown = told("episode", source={"kind": "recorded", "number": number})
        texts = ["".join(word["text"] for word in turn["words"]) for turn in shown["turns"]]
        assert texts == [turn.text for turn in whole.turns]
        assert [turn["part"] for turn in shown["turns"]] == [turn.part for turn in whole.turns]
        assert [turn["step"] for turn in shown["turns"]] == list(whole.steps) and shown["num_actions"] == len(whole)
        starts = [turn["elements"][0] for turn in shown["turns"]] + [len(shown["roles"])]
        assert starts[0] == 0 and starts[1:] == [turn["elements"][1] for turn in shown["turns"]]
    assert shown["outcome"] == "recorded" and [turn["askable"] for turn in shown["turns"]] == [True, True, True, False, True]
    assert told("episode", source=SOURCE)["outcome"] == "success"


def test_the_words_of_a_turn_are_its_tokens(told, text_scenes):
    values = scene(text_scenes).batch.values[0]
    for turn in told("episode", source=SOURCE)["turns"]:
        for word in turn["words"]:
            assert text_scenes.codec.decode(values[word["elements"]].tolist()).strip() == word["text"].strip()
        assert (values[turn["filling"]] == text_scenes.codec.end_id).all()


def test_parts_count_their_steps_anew_and_ask_about_all_of_them(told, text_scenes):
    first = told("episode", source={"kind": "recorded", "number": 2})
    assert first["num_parts"] > 1 and first["first_step"] == 0
    later = told("episode", source={"kind": "recorded", "number": 2, "part": 1})
    assert later["first_step"] > 0 and later["turns"][1]["step"] == 0
    assert later["turns"][1]["words"][1]["text"] == str(later["first_step"])
    assert all(turn["askable"] for turn in later["turns"]), "what the part before asked about may be asked for again"


def test_a_hidden_word_is_answered_with_alternatives(told, text_scenes):
    shown = told("episode", source=SOURCE)
    word = shown["turns"][1]["words"][1]
    reply = asked(told, SOURCE, word["elements"])
    ((number, turn),) = reply["turns"].items()
    (answer,) = turn["words"]
    batch = scene(text_scenes).batch
    order = replace(NextActionQuery(0)(batch.layout), roles=torch.tensor([[int(digit) for digit in reply["roles"]]]))
    order = replace(order, ranks=torch.zeros_like(order.ranks))
    shares = ask(text_scenes.model, batch, order).double().softmax(dim=1)
    assert number == "1" and answer["elements"] == word["elements"] and answer["truth"] == "yellow"
    ids, share = next(likeliest(shares, 1))
    assert answer["answer"] == text_scenes.codec.decode(ids).strip()
    assert answer["probability"] == pytest.approx(share, abs=1e-5) == answer["alternatives"][0][1]
    assert len(answer["alternatives"]) == 3
    truth = shares.gather(1, batch.values[0, word["elements"]][:, None]).prod()
    assert turn["truth_probability"] == pytest.approx(float(truth), rel=1e-4)
    assert turn["candidates"] == [] and turn["num_tokens"] == len(word["elements"])


def test_an_action_that_is_hidden_comes_with_what_could_be_done(told, text_scenes):
    shown = told("episode", source=SOURCE)
    action = next(number for number, turn in enumerate(shown["turns"]) if turn["part"] == "action")
    turn = asked(told, SOURCE, places(shown["turns"][action]))["turns"][str(action)]
    codec, form = text_scenes.codec, text_scenes.form
    known = {"go", "open the yellow door", "pick up a blue box", "wait"}
    room = len(places(shown["turns"][action]))
    fitting = {one for one in known if form.room("action", len(codec.encode(one))) == room}
    assert {action for action, _ in turn["candidates"]} == fitting and len(fitting) > 1
    shares = [share for _, share in turn["candidates"]]
    assert sum(shares) == pytest.approx(1) and shares == sorted(shares, reverse=True)
    elements = [element for word in turn["words"] for element in word["elements"]]
    assert turn["truth"] == "wait" and elements == places(shown["turns"][action])[: len(elements)]
    several = asked(told, SOURCE, places(shown["turns"][action]), decoder={"name": "confidence", "num_passes": 2})
    (turn,) = several["turns"].values()
    assert turn["candidates"] == [] and turn["truth_probability"] is None
    assert all(word["alternatives"] == [] for word in turn["words"])


@pytest.mark.parametrize("name", QUERIES)
def test_every_query_of_conversations_is_answered(told, name):
    query = {"kind": "query", "name": name, "options": OPTIONS.get(name, {"step": 1 if name != "waypoints" else 0})}
    reply = told("answer", source=SOURCE, asked=query)
    assert reply["turns"] and "3" in reply["roles"]


def test_the_mission_can_be_hidden(told):
    shown = told("episode", source=SOURCE)
    (turn,) = asked(told, SOURCE, places(shown["turns"][0]))["turns"].values()
    assert turn["truth"] == "go to the red ball" and turn["num_tokens"] == len(places(shown["turns"][0]))


def test_a_model_that_says_actions_alone_offers_no_other_question(text_scenes):
    form = ChatForm(text_scenes.form.marks, rooms={"observation": 0, "action": 4})
    scenes = TextScenes(text_scenes.model, text_scenes.codec, form, 200, "toy-v0", text_scenes.recorded)
    offered = {query["name"] for query in about("best.pt", "test", scenes)["queries"]}
    assert offered == QUERIES.keys() - {"forward_dynamics", "backward_dynamics", "hidden_cells"}
    assert {query["name"] for query in about("best.pt", "test", text_scenes)["queries"]} == QUERIES.keys()
    shown = scene(scenes).to_json()["turns"]
    assert [turn["askable"] for turn in shown if turn["part"] != "observation"] == [True] * 3
    assert not any(turn["askable"] or turn["filling"] for turn in shown if turn["part"] == "observation")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({"kind": "recorded", "number": 9}, "between 0 and 2; found 9"),
        ({"kind": "recorded", "number": 0, "part": 3}, "the part of this episode must lie between 0 and 0"),
        ({"kind": "played", "seed": 1, "player": "agent"}, "toy-v0 cannot be played here; choose a recorded"),
        ({"kind": "live_text", "seed": 1, "actions": []}, "toy-v0 cannot be played here; choose a recorded"),
        ({"kind": "live", "seed": 1, "actions": []}, "must be of the kind live_text; found live"),
    ],
)
def test_conversations_that_are_not_there_are_refused(refused, source, said):
    assert said in refused("episode", source=source)


def test_what_cannot_be_asked_of_a_conversation_is_said(refused, told, text_scenes):
    assert "found 3 roles" in refused("answer", source=SOURCE, asked={"kind": "roles", "roles": "111"})
    step = {"kind": "query", "name": "next_action", "options": {"step": 99}}
    assert "step must be between 0 and 1" in refused("answer", source=SOURCE, asked=step)
    unasked = {"kind": "query", "name": "forward_dynamics", "options": {"step": 0}}
    assert "found nothing" in refused("answer", source={"kind": "recorded", "number": 1}, asked=unasked)
    assert "found live" in refused("agent", source={"kind": "live", "seed": 1, "actions": []}, roles="11")
    with pytest.raises(AnyOrderError, match="only an episode that goes on has a next action"):
        scene(text_scenes).next_action("", False)


def test_words_end_where_the_turn_does(text_scenes):
    codec = text_scenes.codec
    ids = [*codec.encode("go to the unlocked door").ids, codec.end_id, codec.end_id]
    words = words_of(codec, ids)
    said = [codec.decode([ids[place] for place in word]).strip() for word in words]
    assert said == ["go", "to", "the", "unlocked", "door", ""]
    assert [place for word in words for place in word] == list(range(len(ids) - 1))
    assert words_of(codec, ids[:-2]) == words[:-1] and words_of(codec, [codec.end_id]) == [[0]]


def test_the_likeliest_sequences_are_those_of_all():
    shares = torch.rand(3, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64).softmax(dim=1)
    every = {ids: float(shares[range(3), ids].prod()) for ids in product(range(4), repeat=3)}
    expected = sorted(every.items(), key=lambda one: -one[1])[:5]
    assert [ids for ids, _ in likeliest(shares, 5)] == [ids for ids, _ in expected]
    assert [share for _, share in likeliest(shares, 5)] == pytest.approx([share for _, share in expected])
