"""Scores of models whose score is known beforehand."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from anyorder.elements.batch import Budget
from anyorder.elements.grid import NUM_VALUES, WALL, Attribute
from anyorder.evaluation.baselines import Baselines
from anyorder.evaluation.likelihood import CELL_GROUPS, POSITIONS, score
from anyorder.evaluation.modes import Filtering, WholeTrajectory
from anyorder.masking.order import Role
from anyorder.masking.schedules import Rate
from anyorder.masking.strategies import Cell, ForwardDynamics, NextAction, NextReturn
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


BUDGET = Budget(64, "frames")
CELLS = Cell(Rate(0.3, 0.3))
CELL = WholeTrajectory(CELLS)
WORLD_MODEL = {"forward": WholeTrajectory(ForwardDynamics()), "filtering": Filtering(CELLS), "smoothing": CELL}


def test_equal_logits_give_the_logarithm_of_the_number_of_values(encoded, vocabulary, baselines):
    modes = CELL, WholeTrajectory(NextReturn())
    groups, returns = (score(Constant(vocabulary), encoded, mode, baselines, BUDGET, seed=0).groups for mode in modes)
    groups["return"] = returns["return"]
    for attribute, num_values in NUM_VALUES.items():
        assert groups[attribute.name.lower()].nll_per_element == pytest.approx(math.log(num_values), abs=1e-6)
    expected = (math.log(11) + math.log(6) + math.log(4)) / 3
    assert groups["cell"].nll_per_element == pytest.approx(expected, abs=1e-6)
    assert groups["cell"].num_elements == 3 * groups["cell"].accuracy.count


def test_the_truth_scores_one(encoded, vocabulary, baselines):
    for mode in (*WORLD_MODEL.values(), WholeTrajectory(NextAction())):
        for group in score(Oracle(vocabulary), encoded, mode, baselines, BUDGET, seed=0).groups.values():
            assert group.accuracy.rate == 1.0
            assert group.nll_per_element == pytest.approx(0.0, abs=1e-6)


def test_a_cell_is_right_only_with_all_its_attributes(encoded, vocabulary, baselines):
    anything = replace(vocabulary, contents=())  # so that a red wall is an answer
    groups = score(WrongColor(anything), encoded, CELL, baselines, BUDGET, seed=0).groups
    assert groups["object"].accuracy.rate == groups["state"].accuracy.rate == 1.0
    assert groups["color"].accuracy.rate == groups["cell"].accuracy.rate == groups["object_cell"].accuracy.rate == 0.0


def test_counts_are_those_of_the_targets(encoded, vocabulary, baselines):
    scores = score(Constant(vocabulary), encoded, CELL, baselines, Budget(10_000, "frames"), seed=3)
    batch = encoded.batch(encoded.in_order(Budget(10_000, "frames"))[0])
    order = CELLS(batch.layout, stream(3, "evaluation", 0))
    hidden = batch.layout.grid.cells(order.targets)[..., 0]
    truth = batch.layout.grid.cells(batch.values)
    changed = torch.zeros_like(hidden)
    for frame in range(1, truth.shape[1]):
        changed[:, frame] = (truth[:, frame] != truth[:, frame - 1]).any(dim=-1)
    counts = {name: group.accuracy.count for name, group in scores.groups.items()}
    assert counts["cell"] == counts["object"] == hidden.sum()
    assert counts["object_cell"] == (hidden & (truth[..., 0] > WALL)).sum()
    assert counts["changed_cell"] == (hidden & changed).sum()
    assert counts["action"] == batch.layout.grid.actions(order.targets).sum()
    assert scores.hidden_fraction == pytest.approx(0.3, abs=0.03)


def test_baselines_answer_the_same_questions(encoded, vocabulary, baselines):
    groups = score(Constant(vocabulary), encoded, CELL, baselines, BUDGET, seed=0).groups
    for group in groups.values():
        assert group.accuracy.count == group.most_frequent.count == group.copy_last.count
    assert groups["state"].most_frequent.rate == 1.0, "nothing but a door has a state in GoToRedBall"
    assert groups["object_cell"].most_frequent.rate == 0.0, "no object is the most frequent object"


def test_next_action_asks_for_every_action_and_nothing_else(encoded, vocabulary, baselines, trajectories):
    scores = score(Constant(vocabulary), encoded, WholeTrajectory(NextAction()), baselines, BUDGET, seed=0)
    assert set(scores.groups) == {"action"}
    assert scores.groups["action"].accuracy.count == sum(len(trajectory) for trajectory in trajectories)


def test_equal_seeds_give_equal_scores(encoded, vocabulary, baselines):
    scores = [score(Constant(vocabulary), encoded, CELL, baselines, BUDGET, seed=seed) for seed in (5, 5, 6)]
    assert scores[0] == scores[1] != scores[2]


def test_what_is_hidden_does_not_reach_the_grid_model(encoded, vocabulary, baselines, make_model):
    """Targets carry the mask symbol, so a model cannot copy them."""
    model = make_model((7, 7), vocabulary)
    batch = encoded.batch([0])
    order = CELLS(batch.layout, stream(0, "evaluation", 0))
    start = torch.tensor([vocabulary.offsets[attribute] for attribute in Attribute])[batch.layout.attribute]
    other = torch.where(order.roles == Role.TARGET, start, batch.values)
    assert torch.equal(model(batch.values, batch.layout, order), model(other, batch.layout, order))
    assert score(model, encoded, CELL, baselines, BUDGET, seed=0).groups["object"].accuracy.rate < 0.9


def test_filtering_and_smoothing_ask_for_the_same_cells(encoded, vocabulary, baselines):
    """So the baselines, which look at the past alone, score the same in both."""
    modes = WORLD_MODEL["filtering"], WORLD_MODEL["smoothing"]
    filtering, smoothing = (score(Constant(vocabulary), encoded, mode, baselines, BUDGET, seed=0) for mode in modes)
    assert set(smoothing.groups) - set(filtering.groups) == {"action"}
    for name, group in filtering.groups.items():
        other = smoothing.groups[name]
        for same in ("accuracy", "most_frequent", "copy_last", "num_elements"):
            assert getattr(group, same) == getattr(other, same)
        assert group.copy_last_nll_per_element == pytest.approx(other.copy_last_nll_per_element)
    assert filtering.positions.keys() == smoothing.positions.keys()


def test_forward_asks_for_every_observation_but_the_first(encoded, vocabulary, baselines, trajectories):
    scores = score(Constant(vocabulary), encoded, WORLD_MODEL["forward"], baselines, BUDGET, seed=0)
    assert scores.groups["cell"].accuracy.count == 49 * sum(len(trajectory) for trajectory in trajectories)
    assert "0" not in scores.positions["cell"] and "action" not in scores.groups


@pytest.mark.parametrize("name", WORLD_MODEL)
def test_positions_add_up_to_the_whole(encoded, vocabulary, baselines, make_model, name):
    scores = score(make_model((7, 7), vocabulary), encoded, WORLD_MODEL[name], baselines, BUDGET, seed=0)
    assert set(scores.positions) == set(CELL_GROUPS)
    for group, positions in scores.positions.items():
        whole, parts = scores.groups[group], positions.values()
        assert len(parts) > 2
        for predictor in ("accuracy", "most_frequent", "copy_last"):
            shares = [getattr(part, predictor) for part in parts]
            assert sum(share.successes for share in shares) == getattr(whole, predictor).successes
            assert sum(share.count for share in shares) == getattr(whole, predictor).count
        for nll in ("nll_per_element", "most_frequent_nll_per_element", "copy_last_nll_per_element"):
            total = sum(getattr(part, nll) * part.num_elements for part in parts)
            assert total == pytest.approx(getattr(whole, nll) * whole.num_elements)


def test_positions_are_steps_of_the_episode(encoded, vocabulary, baselines, trajectories):
    positions = score(Constant(vocabulary), encoded, WORLD_MODEL["forward"], baselines, BUDGET, seed=0).positions["cell"]
    last = {"0": 0, "1-2": 2, "3-5": 5, "6-10": 10, "11+": 10_000}
    for name, first in POSITIONS.items():
        steps = [step for trajectory in trajectories for step in range(1, len(trajectory) + 1)]
        expected = 49 * sum(first <= step <= last[name] for step in steps)
        assert (positions[name].accuracy.count if name in positions else 0) == expected


class Hedging(Oracle):
    """Gives 0.8 to a true value of even number, or to the next value if it is odd; the others share the rest."""

    def forward(self, values, layout, order):
        chosen, attribute = values[order.targets], layout.attribute[order.targets]
        start = torch.tensor([self.vocabulary.offsets[a] for a in Attribute])[attribute]
        size = torch.tensor([self.vocabulary.sizes[a] for a in Attribute])[attribute]
        answer = torch.where(chosen % 2 == 0, chosen, start + (chosen - start + 1) % size)
        logits = Constant.forward(self, values, layout, order)
        sure = torch.log(4.0 * (size - 1))  # 0.8 against 0.2 shared by the others
        return logits.scatter(1, answer[:, None], sure[:, None])


def test_a_known_miscalibration_is_found(encoded, vocabulary, baselines):
    scores = score(Hedging(replace(vocabulary, contents=())), encoded, CELL, baselines, BUDGET, seed=0)
    found = scores.calibration
    by_attribute = [scores.groups[name] for name in ("object", "color", "state", "direction", "action")]
    right = sum(group.accuracy.successes for group in by_attribute)
    assert found.count == sum(group.num_elements for group in by_attribute)
    assert found.mean_confidence == pytest.approx(0.8, abs=1e-6)
    assert found.accuracy == pytest.approx(right / found.count)
    assert abs(0.8 - found.accuracy) > 0.05
    assert found.expected_calibration_error == pytest.approx(abs(0.8 - found.accuracy), abs=1e-6)
    assert sum(1 for entry in found.bins if entry.count) == 1


def test_the_truth_is_calibrated_and_equal_logits_say_one_over_the_number_of_values(encoded, vocabulary, baselines):
    assert score(Oracle(vocabulary), encoded, CELL, baselines, BUDGET, seed=0).calibration.expected_calibration_error < 1e-6
    found = score(Constant(vocabulary), encoded, WholeTrajectory(NextAction()), baselines, BUDGET, seed=0).calibration
    assert found.mean_confidence == pytest.approx(1 / 7)
    assert found.expected_calibration_error == pytest.approx(abs(found.accuracy - 1 / 7))
