"""A language model on conversations: what trains it is what it is asked when acting, and nothing tells it the future."""

from dataclasses import replace

import pytest
import torch
from toy_conversations import conversation, wordpiece
from toy_text import bert

from anyorder.elements.layout import Kind
from anyorder.elements.text.codec import TextCodec
from anyorder.elements.text.elements import EncodedTexts
from anyorder.elements.text.form import PLAIN
from anyorder.masking import queries, strategies
from anyorder.masking.queries import NextActionQuery
from anyorder.masking.strategies import ForwardDynamics, NextAction
from anyorder.models.language.masked_lm import MaskedLanguageModel
from anyorder.types import TextTrajectory

FORM = replace(PLAIN, rooms={"observation": 4, "action": 8})
TEXTS = ["a red door", "open the door", "a box", "go left", "the end", "finish[yes]", "done"]


@pytest.fixture(scope="module")
def codec():
    return TextCodec(wordpiece(), 4, 3, 0)


@pytest.fixture(scope="module")
def model(codec):
    return MaskedLanguageModel(bert(vocab_size=codec.size, max_position_embeddings=160), codec.mask_id, codec.pad_id)


def batch_of(codec, *trajectories):
    return EncodedTexts.of(trajectories, codec, FORM).batch(range(len(trajectories)))


@torch.no_grad()
def test_every_next_action_is_answered_as_if_nothing_came_after_it(codec, model):
    """Also the number of turns to come would be the future."""
    whole = conversation(*TEXTS)
    batch = batch_of(codec, whole)
    order = NextAction()(batch.layout, torch.Generator())
    logits, steps = model(batch.values, batch.layout, order), batch.layout.step[order.targets]
    for step in range(3):
        so_far = TextTrajectory("now", whole.turns[: 1 + 2 * (step + 1)])
        history = batch_of(codec, so_far)
        alone = model(history.values, history.layout, NextActionQuery(step)(history.layout))
        assert len(alone) >= 8 and torch.allclose(alone, logits[steps == step], atol=1e-9)


@torch.no_grad()
@pytest.mark.parametrize("ending", [["a", "pick up", "reward", "no", "x"], ["b", "go", "c"]])
def test_an_observation_is_foretold_without_its_length_or_what_follows(codec, model, ending):
    """Both endings begin with an observation of the same room."""
    one, two = conversation(*TEXTS[:4], "", "finish[yes]"), conversation(*TEXTS[:4], *ending)
    answers = []
    for trajectory in (one, two):
        batch = batch_of(codec, trajectory)
        order = ForwardDynamics()(batch.layout, torch.Generator())
        room = (batch.layout.kind == Kind.OBSERVATION) & (batch.layout.step == 2) & order.targets
        assert int(room.sum()) == 4
        answers.append(model(batch.values, batch.layout, order)[room[order.targets]])
    assert torch.allclose(*answers, atol=1e-9)


ASKED = [
    (queries.NextActionQuery, strategies.NextAction()),
    (queries.ForwardDynamicsQuery, strategies.ForwardDynamics()),
    (queries.InverseDynamicsQuery, strategies.InverseDynamics()),
    (queries.BackwardDynamicsQuery, strategies.BackwardDynamics()),
    (lambda step: queries.GoalConditionedActionQuery(step, 3), strategies.GoalConditioned()),
    (lambda step: queries.WaypointsQuery(step, (3,), mission=True), strategies.GoalConditioned(mission=True)),
]


@torch.no_grad()
@pytest.mark.parametrize("step", range(3))
@pytest.mark.parametrize(("query", "strategy"), ASKED, ids=lambda asked: type(asked).__name__)
def test_the_question_is_the_one_that_was_trained(query, strategy, step, codec, model):
    batch = batch_of(codec, conversation(*TEXTS))
    asked, trained = query(step)(batch.layout), strategy(batch.layout, torch.Generator())
    found, expected = (model(batch.values, batch.layout, order) for order in (asked, trained))
    expected = expected[asked.targets[trained.targets]]
    assert len(found) >= 4 and torch.allclose(found, expected, atol=1e-9)
