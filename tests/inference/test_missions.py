"""Missions ranked by what was done."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from anyorder.elements.batch import Batch
from anyorder.elements.grid import END_WORD, Attribute, GridVocabulary, collate, encode
from anyorder.elements.layout import Kind
from anyorder.inference.chain_rule import ChainInOnePass
from anyorder.inference.decoding import ask
from anyorder.inference.missions import of_words, rank_missions
from anyorder.masking.order import Order, Role, imitate, reconstruct

MISSIONS = ["go to the ball", "go to the key", "go"]


@pytest.fixture(scope="module")
def told(make_trajectory):
    """An episode of five actions, under each mission, whose vocabulary knows all of them."""
    return _encoded([make_trajectory(5, mission=mission) for mission in MISSIONS], missions_are_asked=False)


@pytest.fixture(scope="module")
def asked(make_trajectory):
    """The same, in a vocabulary that ends missions."""
    return _encoded([make_trajectory(5, mission=mission) for mission in MISSIONS], missions_are_asked=True)


def _encoded(trajectories, missions_are_asked):
    vocabulary = GridVocabulary.of(trajectories, missions_are_asked)
    return vocabulary, [encode(one, vocabulary) for one in trajectories]


class Narrator(nn.Module):
    """Says each word with the probability that a table gives for its place and the word before it; refuses to be asked for more
    than one word, or for one that another follows."""

    view, max_frames = (3, 3), None

    def __init__(self, vocabulary, table):
        super().__init__()
        self.vocabulary, self.table, self.passes = vocabulary, table, []

    def forward(self, values, layout, order):
        words = layout.grid.words(values)
        logits = torch.full((len(values), len(self.vocabulary)), -torch.inf)
        assert (order.targets.sum(dim=1) == 1).all()
        for row in range(len(values)):
            place = int(order.targets[row].nonzero()[0])
            assert place == (layout.kind[row] == Kind.MISSION).sum() - 1, "nothing may follow the word that is asked for"
            assert (order.roles[row, :place] == Role.CONTEXT).all()
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
    (1, "go"): {"to": 0.7, END_WORD: 0.2, "<unknown>": 0.1},
    (2, "to"): {"the": 1.0},
    (3, "the"): {"ball": 0.8, "key": 0.2},
    (4, "ball"): {END_WORD: 1.0},
    (4, "key"): {END_WORD: 0.5, "to": 0.5},
}


def test_words_and_the_end_are_multiplied_along_the_mission(asked):
    vocabulary, data = asked
    ranked = rank_missions(Narrator(vocabulary, SAYS), data[1], MISSIONS)
    assert [one.mission for one in ranked] == ["go to the ball", "go", "go to the key"]
    likelihoods = [one.log_likelihood for one in ranked]
    assert likelihoods == pytest.approx([math.log(0.7 * 0.8), math.log(0.2), math.log(0.7 * 0.2 * 0.5)], abs=1e-6)


def test_what_begins_improbably_is_not_followed(asked):
    vocabulary, data = asked
    hardly = {**SAYS, (0, ""): {"go": 1e-12, "<unknown>": 1 - 1e-12}}
    model = Narrator(vocabulary, hardly)
    assert of_words(model, data[0], MISSIONS) == pytest.approx([math.log(1e-12)] * 3)
    assert model.passes == [1], "all missions begin with one word, and end there"


def test_likelihoods_of_words_are_those_of_one_word_after_the_other(asked, make_model, monkeypatch):
    monkeypatch.setattr("anyorder.inference.missions.IMPROBABLE", -1000.0)
    vocabulary, data = asked
    model = make_model(vocabulary=vocabulary)
    found = dict(zip(MISSIONS, of_words(model, data[0], MISSIONS), strict=True))
    for row, mission in enumerate(MISSIONS):
        words, expected = data[row].words, 0.0
        for place in range(len(words)):
            batch = Batch(*collate([replace(data[row], words=words[: place + 1])], *model.view))
            asked_last = batch.layout.of_kind(Kind.MISSION) & (batch.layout.cell == place)
            said = ask(model, batch, reconstruct(batch.layout, asked_last)).double().log_softmax(dim=-1)
            expected += float(said[0, words[place]])
        assert found[mission] == pytest.approx(expected, abs=1e-9)


def test_what_follows_the_word_that_is_asked_for_tells_nothing(asked, make_model):
    """As `mission_words` trains it: the answer is the same as when the mission were no longer."""
    vocabulary, data = asked
    model, said = make_model(vocabulary=vocabulary), []
    for words in (data[0].words, data[0].words[:2]):
        batch = Batch(*collate([replace(data[0], words=words)], *model.view))
        mission = batch.layout.of_kind(Kind.MISSION)
        order = reconstruct(batch.layout, mission & (batch.layout.cell == 1))
        roles = order.roles.masked_fill(mission & (batch.layout.cell > 1), Role.DROPPED)
        said.append(ask(model, batch, Order(roles, order.ranks)))
    assert torch.allclose(said[0], said[1], atol=1e-12)
