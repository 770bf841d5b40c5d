"""A model that has learned conversations answers in words, and knows which answer is the right one."""

from dataclasses import replace

import pytest
import torch
from toy_conversations import byte_level, conversation
from transformers import BertConfig, BertForMaskedLM

from anyorder.acting.text_policy import TextPolicy
from anyorder.elements.text.codec import TextCodec
from anyorder.elements.text.elements import EncodedTexts, encode_text
from anyorder.elements.text.form import ChatForm
from anyorder.errors import AnyOrderError
from anyorder.inference.chain_rule import ChainByRounds
from anyorder.masking.strategies import NextAction
from anyorder.models.language.masked_lm import MaskedLanguageModel
from anyorder.training.loss import Weighting
from anyorder.types import Turn

FORM = ChatForm({"user": ("user ", ""), "assistant": ("assistant ", "")}, rooms={"observation": 16, "action": 16})
ANSWERS = {"a red ball": "go to the box", "a blue box": "open the door"}


@pytest.fixture(scope="module")
def policy():
    """A small BERT that was taught the two answers."""
    codec = TextCodec(byte_level(), mask_id=1, end_id=0)
    said = [conversation(seen, done, again, ANSWERS[again]) for seen, done in ANSWERS.items() for again in ANSWERS]
    texts = EncodedTexts.of(said, codec, FORM)
    torch.manual_seed(0)
    inner = BertForMaskedLM(
        BertConfig(
            vocab_size=codec.size,
            max_position_embeddings=160,
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=32,
            initializer_range=0.2,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )
    )
    model, weighting = MaskedLanguageModel(inner, codec.mask_id), Weighting("target")
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    batch = texts.batch(range(len(texts)))
    order = NextAction()(batch.layout, torch.Generator())
    for _ in range(150):
        optimizer.zero_grad()
        loss = weighting.sums(model(batch.values, batch.layout, order), batch.values, batch.layout, order).mean()
        loss.backward()
        optimizer.step()
    assert loss < 0.1
    return TextPolicy(model.eval(), codec, FORM, limit=160)


def history(*texts):
    return conversation(*texts, "").turns[:-1]


@pytest.mark.parametrize("seen", ANSWERS)
def test_it_writes_what_it_was_taught(policy, seen):
    assert policy.write(history(seen)) == ANSWERS[seen]
    assert policy.write(history("a blue box", "open the door", seen)) == ANSWERS[seen]


@pytest.mark.parametrize("seen", ANSWERS)
@pytest.mark.parametrize("more", [{}, {"chain": ChainByRounds("element")}])
def test_it_chooses_among_what_is_admissible(policy, seen, more):
    admissible = ["pick up the key", *ANSWERS.values()]
    assert policy.choose(history(seen), admissible, **more) == ANSWERS[seen]
    wrong = [action for action in admissible if action != ANSWERS[seen]]
    assert policy.choose(history(seen), wrong, **more) in wrong
    scores = policy.score(history(seen), admissible, **more)
    assert max(scores) > -3 and sorted(scores)[1] < -3 and sum(torch.tensor(scores).exp()) < 1


def test_a_score_is_of_the_action_alone_and_of_its_end(policy):
    together = policy.score(history("a red ball"), list(ANSWERS.values()))
    apart = [policy.score(history("a red ball"), [action])[0] for action in ANSWERS.values()]
    assert together == pytest.approx(apart, abs=1e-4)
    cut_short = policy.score(history("a red ball"), ["go to the"])[0]
    assert cut_short < policy.score(history("a red ball"), ["go to the box"])[0] - 3


def test_the_oldest_steps_are_forgotten_first(policy):
    last = ["a blue box", "open the door", "a red ball"]
    long = [*["a red ball", "go to the box"] * 3, *last]
    short = history(*last)
    brief = replace(policy, limit=len(encode_text(conversation(*last, ""), policy.codec, FORM)))
    assert brief.write(history(*long)) == ANSWERS["a red ball"]
    assert brief.score(history(*long), ["open the door"]) == policy.score(short, ["open the door"])
    with pytest.raises(AnyOrderError, match="must fit into .* tokens"):
        policy.write(history("a red ball " * 60))


def test_nothing_to_choose_from_is_refused(policy):
    with pytest.raises(AnyOrderError, match="at least one action"):
        policy.choose(history("a red ball"), [])


def test_who_speaks_has_to_be_known(policy):
    with pytest.raises(AnyOrderError, match="the role must be one of"):
        policy.write((Turn("mission", "nobody", "hm", False), *history("a red ball")[1:]))
