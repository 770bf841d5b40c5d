"""Baselines of conversations: an n-gram model by hand, copies from a toy conversation, and what they may see."""

import numpy as np
import pytest
import torch
from toy_text import text_layout, units_of

from anyorder.elements.batch import Batch
from anyorder.elements.layout import Kind
from anyorder.evaluation.text_baselines import AGREEMENTS, COPIED, NGRAM, TextBaselines
from anyorder.evaluation.text_copies import copied_tokens
from anyorder.evaluation.text_ngrams import NgramModel
from anyorder.evaluation.text_questions import TextQuestions, places_in_turns
from anyorder.masking.order import Order, reconstruct
from anyorder.masking.strategies import ForwardDynamics

ACTION = int(Kind.ACTION)


def ngrams(order=3, num_tokens=4):
    """Counted on the turn 0 1 0 1 2 of one action."""
    found, turn = NgramModel({ACTION: np.full(num_tokens, 1 / num_tokens)}, order), [0, 1, 0, 1, 2]
    for place, token in enumerate(turn):
        found.add(ACTION, place, turn[:place], token)
    return found


def test_witten_bell_by_hand():
    found = ngrams()
    # At place 0 stood 0 alone: one token, one kind of it.
    place = (np.array([1, 0, 0, 0]) + 1 * np.full(4, 1 / 4)) / (1 + 1)
    assert found.distribution(ACTION, 0, ()) == pytest.approx(place)
    # After 1 stood 0 and 2.
    after_1 = (np.array([1, 0, 1, 0]) + 2 * place) / (2 + 2)
    assert found.distribution(ACTION, 0, (1,)) == pytest.approx(after_1)
    # After 0 1 stood 0 and 2; what lies further back is not read.
    assert found.distribution(ACTION, 0, (3, 0, 1)) == pytest.approx((np.array([1, 0, 1, 0]) + 2 * after_1) / (2 + 2))
    # A context that was never seen changes nothing.
    assert found.distribution(ACTION, 0, (3,)) == pytest.approx(place)


@pytest.mark.parametrize("before", [(), (0,), (1,), (3,), (0, 1), (1, 0), (3, 3)])
@pytest.mark.parametrize("place", [0, 3, 17])
def test_every_distribution_sums_to_one_and_knows_no_impossible_token(place, before):
    found = ngrams().distribution(ACTION, place, before)
    assert found.sum() == pytest.approx(1) and found.min() > 0


def test_a_hidden_token_ends_the_context():
    found = ngrams(order=4)
    values = [5, 6, 7, 8, 9]
    assert found.read(values, [True] * 5, 4) == (6, 7, 8)
    assert found.read(values, [True, True, False, True, False], 4) == (8,)
    assert found.read(values, [True, True, True, False, False], 4) == ()
    assert found.read(values, [True] * 5, 1) == (5,)


def conversation():
    """A mission; door / go / wall / stay / door / go / (wall), every turn of two tokens, the last one hidden."""
    layout = text_layout([units_of(1, 2, 2, 2, 2, 2, 2, 2)])
    door, go, wall, stay = [1, 2], [3, 4], [5, 6], [7, 8]
    return Batch(torch.tensor([[20, *door, *go, *wall, *stay, *door, *go, *wall]]), layout)


def hidden(batch, *places):
    chosen = torch.zeros(batch.layout.shape, dtype=torch.bool)
    chosen[0, list(places)] = True
    return TextQuestions.of(batch, reconstruct(batch.layout, chosen))


def test_a_hidden_turn_is_copied_from_what_followed_the_same_turns():
    found = copied_tokens(hidden(conversation(), 13, 14))
    assert found.tokens.tolist() == [5, 6] and found.agreement.tolist() == [4, 4], "door and go are before both"


def test_a_hidden_word_is_copied_by_what_is_on_both_sides():
    # The second token of the second "door": 1 before it and 3 4 after it, as at the first one.
    found = copied_tokens(hidden(conversation(), 10))
    assert found.tokens.tolist() == [2]
    batch = conversation()
    batch.values[0, 1] = 9  # now the past does not agree any more, the future still does
    assert copied_tokens(hidden(batch, 10)).tokens.tolist() == [2]
    batch.values[0, 3] = 9
    assert copied_tokens(hidden(batch, 10)).agreement.tolist() == [0], "nor the future: there is nothing to copy"
    assert copied_tokens(hidden(batch, 10)).tokens.tolist() == [-1]


def test_nothing_hidden_is_copied_and_the_nearest_of_equals_is():
    layout = text_layout([units_of(0, 8)])
    batch = Batch(torch.tensor([[1, 2, 1, 3, 1, 4, 1, 5]]), layout)
    assert copied_tokens(hidden(batch, 5)).tokens.tolist() == [3], "as near as 5, and before"
    assert copied_tokens(hidden(batch, 3, 5)).tokens.tolist() == [2, 5], "3 is hidden itself"


def test_who_is_asked_in_turn_copies_from_the_past_alone():
    batch = conversation()
    order = ForwardDynamics()(batch.layout, torch.Generator())
    questions = TextQuestions.of(batch, order)
    copies = copied_tokens(questions)
    assert questions.asked.sum(dim=1).tolist() == [2, 2, 2] and questions.numbers.tolist() == list(range(6))
    assert copies.tokens[:2].tolist() != [5, 6], "wall comes later alone"
    assert copies.tokens[4:].tolist() == [5, 6]


def test_answers_come_in_the_order_of_the_targets_whatever_their_ranks():
    batch, seed = conversation(), torch.Generator().manual_seed(0)
    order = reconstruct(batch.layout, batch.layout.kind == Kind.OBSERVATION)
    ranks = torch.randint(3, order.ranks.shape, generator=seed, dtype=torch.int32)
    questions = TextQuestions.of(batch, Order(order.roles, ranks))
    assert sorted(questions.numbers.tolist()) == list(range(int(order.targets.sum())))
    assert torch.equal(questions.values[questions.asked], batch.values[order.targets][questions.numbers])


def test_places_begin_anew_in_each_turn_and_marks_have_none():
    layout = text_layout([units_of(1, 3, 2)])
    assert places_in_turns(layout).tolist() == [[0, 0, 1, 2, 0, 1]]


def baselines(trusted=0.5):
    shares = {int(kind): np.full(23, 1 / 23) for kind in (Kind.OBSERVATION, Kind.ACTION)}
    right = torch.full((len(Kind), AGREEMENTS), trusted, dtype=torch.float64)
    return TextBaselines(NgramModel(shares), right)


def test_a_copy_has_the_nats_of_a_forecaster_who_trusts_it_as_often_as_it_is_right():
    answers = baselines(trusted=0.9).answers(hidden(conversation(), 13, 14))
    assert answers.right[COPIED].tolist() == [True, True]
    assert answers.nll[COPIED].tolist() == pytest.approx([-np.log(0.9)] * 2)
    assert answers.nll[NGRAM].tolist() == pytest.approx([np.log(23)] * 2), "nothing was counted"
    batch = conversation()
    batch.values[0, 14] = 9  # not what is copied
    answers = baselines(trusted=0.9).answers(hidden(batch, 13, 14))
    assert answers.nll[COPIED][1].item() == pytest.approx(-np.log(0.1 / 23 / (1 - 1 / 23)))


def test_where_nothing_is_copied_a_copy_says_what_the_ngrams_say():
    batch = Batch(torch.tensor([[1, 2]]), text_layout([units_of(0, 2)]))
    answers = baselines().answers(hidden(batch, 0, 1))
    assert torch.equal(answers.nll[COPIED], answers.nll[NGRAM]) and torch.equal(answers.right[COPIED], answers.right[NGRAM])
