"""Missions ranked by what was done."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from anyorder.elements.batch import Batch
from anyorder.elements.grid import Attribute, GridVocabulary, collate, encode
from anyorder.elements.layout import Kind
from anyorder.inference.chain_rule import ChainByRounds, ChainInOnePass
from anyorder.inference.missions import OfActions, OfBoth, OfWords, rank_missions
from anyorder.masking.order import Role, imitate, reconstruct

MISSIONS = ["go to the ball", "go to the key", "go"]


@pytest.fixture(scope="module")
def told(make_trajectory):
    """An episode of five actions, whose vocabulary knows all missions."""
    trajectories = [make_trajectory(5, mission=mission) for mission in MISSIONS]
    vocabulary = GridVocabulary.of(trajectories)
    return vocabulary, [encode(one, vocabulary) for one in trajectories]


class Narrator(nn.Module):
    """Says each word with the probability that a table gives for its place and the word before it; refuses to be asked for more
    than one word, or to be shown one that follows."""

    view, max_frames = (3, 3), None

    def __init__(self, vocabulary, table):
        super().__init__()
        self.vocabulary, self.table, self.passes = vocabulary, table, []

    def forward(self, values, layout, order):
        words, roles = layout.grid.words(values), layout.grid.words(order.roles)
        logits = torch.full((len(values), len(self.vocabulary)), -torch.inf)
        assert (order.targets.sum(dim=1) == 1).all()
        for row in range(len(values)):
            place = int((roles[row] == Role.TARGET).nonzero()[0])
            present = (layout.kind[row] == Kind.MISSION).sum()
            assert (roles[row, :place] == Role.CONTEXT).all() and (roles[row, place + 1 : present] == Role.HIDDEN).all()
            before = self.vocabulary.words[int(words[row, place - 1]) - self._start] if place else ""
            for word, share in self.table[place, before].items():
                logits[row, self.vocabulary.encode_mission(word)[0]] = math.log(share)
        self.passes.append(len(values))
        return logits

    @property
    def _start(self):
        return self.vocabulary.offsets[Attribute.WORD]


class Keen(nn.Module):
    """Gives the actions that were taken a probability of 1/2 if a word is in the mission, else of 1/7."""

    view, max_frames = (3, 3), None

    def __init__(self, vocabulary, word):
        super().__init__()
        self.vocabulary, self.word = vocabulary, vocabulary.encode_mission(word)[0]

    def forward(self, values, layout, order):
        knows = (layout.grid.words(values) == self.word).any(dim=1)[order.targets.nonzero()[:, 0]]
        first, size = self.vocabulary.offsets[Attribute.ACTION], self.vocabulary.sizes[Attribute.ACTION]
        logits = torch.full((len(knows), len(self.vocabulary)), -torch.inf)
        logits[:, first : first + size] = 0.0
        sure = torch.where(knows, math.log(size - 1), 0.0)
        return logits.scatter(1, values[order.targets][:, None], sure[:, None])


def test_the_mission_that_explains_the_actions_comes_first(told):
    vocabulary, data = told
    ranked = rank_missions(Keen(vocabulary, "key"), data[0], MISSIONS)
    assert [one.mission for one in ranked] == ["go to the key", "go to the ball", "go"]
    assert [one.log_likelihood for one in ranked] == pytest.approx([-5 * math.log(2), -5 * math.log(7), -5 * math.log(7)])
    shares = [2.0**-5, 7.0**-5, 7.0**-5]
    assert [one.probability for one in ranked] == pytest.approx([share / sum(shares) for share in shares])


def test_its_own_mission_is_not_looked_at(told):
    vocabulary, data = told
    ranked = [rank_missions(Keen(vocabulary, "ball"), data[row], MISSIONS) for row in range(3)]
    # The toy trajectories differ in nothing but their missions.
    assert ranked[0] == ranked[1] == ranked[2]


def test_likelihoods_are_those_of_the_trajectory_with_that_mission(told, make_model):
    vocabulary, data = told
    model = make_model(vocabulary=vocabulary)
    found = {one.mission: one.log_likelihood for one in rank_missions(model, data[0], MISSIONS)}
    for row, mission in enumerate(MISSIONS):
        batch = Batch(*collate([data[row]], *model.view))
        expected = float(ChainInOnePass()(model, batch, imitate(batch.layout)).total)
        assert found[mission] == pytest.approx(expected, abs=1e-9)


def test_a_trajectory_without_actions_tells_nothing(told):
    vocabulary, data = told
    film = torch.zeros_like(data[0].frames, dtype=torch.bool)
    film[:, -1] = True
    with pytest.raises(ValueError, match="must have actions"):
        rank_missions(Keen(vocabulary, "key"), replace(data[0], absent=film), MISSIONS)


def test_what_was_not_recorded_is_neither_shown_nor_asked_for(told, make_model):
    vocabulary, data = told
    model, whole = make_model(vocabulary=vocabulary), data[0]
    lost = torch.zeros_like(whole.frames, dtype=torch.bool)
    lost[1, :6], lost[2, -1] = True, True  # two cells and an action
    other = whole.frames.clone()
    other[1, :6], other[2, -1] = whole.frames[0, :6].flip(0).sort().values, whole.frames[0, -1]
    one, two = (rank_missions(model, replace(whole, frames=frames, absent=lost), MISSIONS) for frames in (whole.frames, other))
    assert one == two != rank_missions(model, whole, MISSIONS)
    keen = rank_missions(Keen(vocabulary, "key"), replace(whole, absent=lost), MISSIONS)
    assert keen[0].log_likelihood == pytest.approx(-4 * math.log(2)), "four of five actions are known"


SAYS = {
    (0, ""): {"go": 1.0},
    (1, "go"): {"to": 0.9, "<unknown>": 0.1},
    (2, "to"): {"the": 1.0},
    (3, "the"): {"ball": 0.8, "key": 0.2},
}
TOLD = ["go to the ball", "go to the ball", "go to the key", "go"]
OF_WORDS = OfWords.after(TOLD)


def test_words_are_multiplied_along_the_mission_and_by_how_frequent_their_number_is(told):
    vocabulary, data = told
    ranked = rank_missions(Narrator(vocabulary, SAYS), data[1], MISSIONS, OF_WORDS)
    assert [one.mission for one in ranked] == ["go to the ball", "go", "go to the key"]
    likelihoods = [one.log_likelihood for one in ranked]
    expected = [math.log(0.75 * 0.9 * 0.8), math.log(0.25), math.log(0.75 * 0.9 * 0.2)]
    assert likelihoods == pytest.approx(expected, abs=1e-6)


def test_what_begins_improbably_is_not_followed(told):
    vocabulary, data = told
    hardly = {**SAYS, (0, ""): {"go": 1e-12, "<unknown>": 1 - 1e-12}}
    model = Narrator(vocabulary, hardly)
    begins = [math.log(0.75e-12), math.log(0.75e-12), math.log(0.25e-12)]
    assert OF_WORDS(model, data[0], MISSIONS) == pytest.approx(begins)
    assert model.passes == [2], "missions of one word and of four begin apart, and both end there"


def test_likelihoods_of_words_are_those_of_one_word_after_the_other(told, make_model):
    vocabulary, data = told
    model = make_model(vocabulary=vocabulary)
    found = dict(zip(MISSIONS, OF_WORDS(model, data[0], MISSIONS), strict=True))
    for row, mission in enumerate(MISSIONS):
        batch = Batch(*collate([data[row]], *model.view))
        order = reconstruct(batch.layout, batch.layout.of_kind(Kind.MISSION))
        expected = float(ChainByRounds()(model, batch, order).total) + math.log(0.25 if mission == "go" else 0.75)
        assert found[mission] == pytest.approx(expected, abs=1e-9)


def test_frequent_missions_are_more_likely_beforehand(told):
    vocabulary, data = told
    model = Keen(vocabulary, "key")
    ranked = rank_missions(model, data[0], MISSIONS, OfActions.after(TOLD))
    assert [one.mission for one in ranked] == ["go to the key", "go to the ball", "go"]
    likelihoods = [one.log_likelihood for one in ranked]
    expected = [math.log(0.25 * 2.0**-5), math.log(0.5 * 7.0**-5), math.log(0.25 * 7.0**-5)]
    assert likelihoods == pytest.approx(expected)


def test_words_and_actions_are_believed_half_each(told):
    vocabulary, data = told

    class Both(Narrator):
        """Says words as the narrator, and acts as the one who is keen on the key."""

        def forward(self, values, layout, order):
            asks_for_words = layout.grid.words(order.targets).any()
            return (super().forward if asks_for_words else Keen(vocabulary, "key"))(values, layout, order)

    model, actions = Both(vocabulary, SAYS), OfActions.after(TOLD)
    alone = [rank_missions(model, data[1], MISSIONS, one) for one in (OF_WORDS, actions)]
    shares = [{one.mission: one.probability for one in ranked} for ranked in alone]
    for one in rank_missions(model, data[1], MISSIONS, OfBoth(OF_WORDS, actions)):
        assert one.probability == pytest.approx((shares[0][one.mission] + shares[1][one.mission]) / 2)
