"""Scores of models whose score is known beforehand."""

import math

import pytest
import torch
from torch import nn

from anyorder.data.grid import NUM_VALUES, WALL
from anyorder.data.layout import Attribute
from anyorder.evaluation.baselines import Baselines
from anyorder.evaluation.likelihood import score
from anyorder.masking.order import Role
from anyorder.masking.schedules import Rate
from anyorder.masking.strategies import Cell, NextAction, NextReturn
from anyorder.seeding import stream


class Constant(nn.Module):
    """The same logit for every value that an element can take."""

    def __init__(self, vocabulary):
        super().__init__()
        self.vocabulary = vocabulary
        self.weight = nn.Parameter(torch.zeros(()))

    def forward(self, values, layout, order):
        allowed = self.vocabulary.allowed()[layout.attribute[order.targets]]
        return torch.zeros(allowed.shape).masked_fill(~allowed, -torch.inf)


class Oracle(Constant):
    """Sure of the truth."""

    def forward(self, values, layout, order):
        truth = nn.functional.one_hot(values[order.targets], len(self.vocabulary))
        return super().forward(values, layout, order) + 50.0 * truth


class WrongColor(Oracle):
    """Sure of the truth, but for colors, where it is sure of the next value."""

    def forward(self, values, layout, order):
        start = self.vocabulary.offsets[Attribute.COLOR]
        wrong = start + (values - start + 1) % NUM_VALUES[Attribute.COLOR]
        return super().forward(torch.where(layout.attribute == Attribute.COLOR, wrong, values), layout, order)


@pytest.fixture(scope="module")
def baselines(encoded, vocabulary):
    return Baselines.of(encoded, vocabulary)


CELL = Cell(Rate(0.3, 0.3))


def test_equal_logits_give_the_logarithm_of_the_number_of_values(encoded, vocabulary, baselines):
    groups, returns = (
        score(Constant(vocabulary), encoded, strategy, baselines, 64, seed=0).groups for strategy in (CELL, NextReturn())
    )
    groups["return"] = returns["return"]
    for attribute, num_values in NUM_VALUES.items():
        assert groups[attribute.name.lower()].nll_per_element == pytest.approx(math.log(num_values), abs=1e-6)
    expected = (math.log(11) + math.log(6) + math.log(4)) / 3
    assert groups["cell"].nll_per_element == pytest.approx(expected, abs=1e-6)
    assert groups["cell"].num_elements == 3 * groups["cell"].accuracy.count


def test_the_truth_scores_one(encoded, vocabulary, baselines):
    for strategy in (CELL, NextAction()):
        for group in score(Oracle(vocabulary), encoded, strategy, baselines, 64, seed=0).groups.values():
            assert group.accuracy.rate == 1.0
            assert group.nll_per_element == pytest.approx(0.0, abs=1e-6)


def test_a_cell_is_right_only_with_all_its_attributes(encoded, vocabulary, baselines):
    groups = score(WrongColor(vocabulary), encoded, CELL, baselines, 64, seed=0).groups
    assert groups["object"].accuracy.rate == groups["state"].accuracy.rate == 1.0
    assert groups["color"].accuracy.rate == groups["cell"].accuracy.rate == groups["object_cell"].accuracy.rate == 0.0


def test_counts_are_those_of_the_targets(encoded, vocabulary, baselines):
    scores = score(Constant(vocabulary), encoded, CELL, baselines, 10_000, seed=3)
    batch = encoded.batch(encoded.in_order(10_000)[0])
    order = CELL(batch.layout, stream(3, "evaluation", 0))
    hidden = batch.layout.shape_of_grid.cells(order.targets)[..., 0]
    truth = batch.layout.shape_of_grid.cells(batch.values)
    changed = torch.zeros_like(hidden)
    for frame in range(1, truth.shape[1]):
        changed[:, frame] = (truth[:, frame] != truth[:, frame - 1]).any(dim=-1)
    counts = {name: group.accuracy.count for name, group in scores.groups.items()}
    assert counts["cell"] == counts["object"] == hidden.sum()
    assert counts["object_cell"] == (hidden & (truth[..., 0] > WALL)).sum()
    assert counts["changed_cell"] == (hidden & changed).sum()
    assert counts["action"] == batch.layout.shape_of_grid.actions(order.targets).sum()
    assert scores.hidden_fraction == pytest.approx(0.3, abs=0.03)


def test_baselines_answer_the_same_questions(encoded, vocabulary, baselines):
    groups = score(Constant(vocabulary), encoded, CELL, baselines, 64, seed=0).groups
    for group in groups.values():
        assert group.accuracy.count == group.most_frequent.count == group.copy_last.count
    assert groups["state"].most_frequent.rate == 1.0, "nothing but a door has a state in GoToRedBall"
    assert groups["object_cell"].most_frequent.rate == 0.0, "no object is the most frequent object"


def test_next_action_asks_for_every_action_and_nothing_else(encoded, vocabulary, baselines, trajectories):
    scores = score(Constant(vocabulary), encoded, NextAction(), baselines, 64, seed=0)
    assert set(scores.groups) == {"action"}
    assert scores.groups["action"].accuracy.count == sum(len(trajectory) for trajectory in trajectories)


def test_equal_seeds_give_equal_scores(encoded, vocabulary, baselines):
    scores = [score(Constant(vocabulary), encoded, CELL, baselines, 64, seed=seed) for seed in (5, 5, 6)]
    assert scores[0] == scores[1] != scores[2]


def test_what_is_hidden_does_not_reach_the_grid_model(encoded, vocabulary, baselines, make_model):
    """Targets carry the mask symbol, so a model cannot copy them."""
    model = make_model((7, 7), vocabulary)
    batch = encoded.batch([0])
    order = CELL(batch.layout, stream(0, "evaluation", 0))
    start = torch.tensor([vocabulary.offsets[attribute] for attribute in Attribute])[batch.layout.attribute]
    other = torch.where(order.roles == Role.TARGET, start, batch.values)
    assert torch.equal(model(batch.values, batch.layout, order), model(other, batch.layout, order))
    assert score(model, encoded, CELL, baselines, 64, seed=0).groups["object"].accuracy.rate < 0.9
