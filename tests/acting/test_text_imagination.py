"""A model of conversations imagines what follows, and is compared with what did."""

from dataclasses import replace

import pytest
import torch
from toy_conversations import byte_level, conversation
from transformers import BertConfig, BertForMaskedLM

from anyorder.acting.text_imagination import TextWorld, given_turns, observation_rooms
from anyorder.elements.text.codec import TextCodec
from anyorder.elements.text.elements import collate_text, encode_text
from anyorder.elements.text.form import ChatForm
from anyorder.errors import AnyOrderError
from anyorder.evaluation.text_imagined import TextPrefix, right_places, score_text_imagination, told_beside
from anyorder.inference.decoding import SinglePass, ask
from anyorder.masking.queries import ForwardDynamicsQuery, NextActionQuery
from anyorder.models.language.masked_lm import MaskedLanguageModel
from anyorder.types import TextTrajectory

TALK = conversation("a box", "open it", "a key in the box", "pick up the key", "a red ball", "go to the red ball", "a box")
FORM = ChatForm({role: (f"{role} ", "") for role in ("system", "user", "assistant")}, rooms={"observation": 4, "action": 8})


@pytest.fixture(scope="module")
def world():
    """A small BERT that has learned nothing."""
    codec = TextCodec(byte_level(), mask_id=1, end_id=0)
    torch.manual_seed(0)
    sizes = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, max_position_embeddings=160)
    inner = BertForMaskedLM(BertConfig(vocab_size=codec.size, initializer_range=0.2, **sizes))
    model = MaskedLanguageModel(inner, codec.mask_id).eval()
    return TextWorld(model, codec, FORM, 160, [8], SinglePass())


class Echo(torch.nn.Module):
    """Knows the true next token of every place of one conversation, and says it; in a wrong room, it is unsure."""

    def __init__(self, codec, trajectory):
        super().__init__()
        self.codec = codec
        self.said = [codec.encode(turn.text).ids for turn in trajectory.turns if turn.part == "observation"]

    def forward(self, values, layout, order):
        step = int(layout.step[order.targets][0])
        number, ids = int(order.targets.sum()), self.said[step]
        room = FORM.room("observation", len(ids))
        rows = torch.zeros(number, self.codec.size)
        tokens = [*ids, *[self.codec.end_id] * number][:number]
        rows[torch.arange(number), tokens] = 20.0 if number == room else 2.0
        return rows


def test_an_observation_is_asked_as_in_forward_dynamics(world):
    """The first imagined observation is the answer to the query about the recorded conversation, where the rooms agree."""
    (step,) = world.imagine(TextPrefix(TALK, 1).history(), given_turns(TextPrefix(TALK, 1).actions()), 1)
    batch = collate_text([encode_text(TALK, world.codec, FORM)], 0)
    order = ForwardDynamicsQuery(1)(batch.layout)
    room = int(order.targets.sum())
    logits = ask(world.model, batch, order)
    assert room == 8 and list(step.observation.tokens) == logits.argmax(dim=1).tolist()
    assert step.observation.turn.part == "observation" and step.action.text == "pick up the key"


def test_own_actions_are_the_answer_to_the_next_action(world):
    history = TextPrefix(TALK, 1).history()
    (step,) = world.imagine(history, world.act, 1)
    batch = collate_text([encode_text(TALK, world.codec, FORM)], 0)
    logits = ask(world.model, batch, NextActionQuery(1)(batch.layout))
    assert step.action.text == world.codec.decode(logits.argmax(dim=1).tolist())
    assert step.action.part == "action" and step.action.role == "assistant"


def test_what_was_imagined_is_history(world):
    prefix = TextPrefix(TALK, 0)
    steps = world.imagine(prefix.history(), given_turns(prefix.actions()), 8)
    assert [step.action for step in steps] == prefix.actions(), "no more steps than the plan has"
    again = [*prefix.history(), steps[0].action, steps[0].observation.turn]
    (second,) = world.imagine(again, given_turns([steps[1].action]), 1)
    assert second == steps[1]


def test_the_room_is_the_one_where_the_model_is_the_surest(world):
    echo = replace(world, model=Echo(world.codec, TALK), rooms=observation_rooms([TALK], world.codec, FORM))
    assert len(echo.rooms) > 1
    prefix = TextPrefix(TALK, 0)
    steps = echo.imagine(prefix.history(), given_turns(prefix.actions()), 3)
    assert [step.observation.turn.text for step in steps] == ["a key in the box", "a red ball", "a box"]
    assert all(step.observation.probability > 0.99 for step in steps)
    scores = score_text_imagination(echo, [prefix], 3)
    for score, right, changed in zip(scores, (False, False, True), (True, True, False)):
        assert all(score.groups[name].model.successes == score.groups[name].model.count for name in ("token", "room"))
        assert score.groups["turn"].copy_last.successes == right, "at the end it is the first observation again"
        assert ("changed_token" in score.groups) == changed
    assert [score.horizon for score in score_text_imagination(echo, [prefix], 9)] == [1, 2, 3]


def test_steps_stand_beside_what_happened(world):
    prefix = TextPrefix(TALK, 1)
    told = told_beside(world, prefix, world.imagine(prefix.history(), given_turns(prefix.actions()), 2))
    assert [one["true_action"] for one in told] == [one["action"] for one in told] == ["pick up the key", "go to the red ball"]
    assert [one["true_observation"] for one in told] == ["a red ball", "a box"] and [one["step"] for one in told] == [1, 2]
    other = [replace(prefix.actions()[0], text="wait"), prefix.actions()[1]]
    told = told_beside(world, prefix, world.imagine(prefix.history(), given_turns(other), 2))
    assert [one["right"] for one in told] == [None, None], "after another action, nothing can be right"


def test_places_are_compared_to_the_end_of_the_turn(world):
    codec = world.codec
    ids = list(codec.encode("a red ball").ids)
    assert right_places(codec, [*ids, 0, 0, 0], "a red ball") == [True] * (len(ids) + 1)
    assert right_places(codec, [*ids, ids[0]], "a red ball") == [True] * len(ids) + [False]
    assert right_places(codec, [], "a red ball") == [False] * len(ids) + [True]


def test_a_model_without_observations_is_refused(world):
    form = ChatForm(FORM.marks, rooms={"observation": 0, "action": 8})
    with pytest.raises(AnyOrderError, match="was asked about observations; found one whose"):
        replace(world, form=form)


def test_a_long_past_is_shortened_and_rooms_that_do_not_fit_are_not_tried(world):
    texts = ["a red ball on your left", "wait"] * 20
    talk = TextTrajectory("long", TALK.turns[:1] + conversation(*texts, "a box").turns[1:])
    prefix = TextPrefix(talk, 18)
    tight = replace(world, limit=60, rooms=[8, 16, 512])
    (step,) = tight.imagine(prefix.history(), given_turns(prefix.actions()), 1)
    assert len(step.observation.tokens) in (8, 16)
