"""The loss is the mean negative log-likelihood of the targets, weighted as promised."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from anyorder.elements.batch import EncodedTrajectories
from anyorder.elements.grid import NUM_VALUES, Attribute, Encoded, GridVocabulary, collate, object_elements
from anyorder.elements.layout import Kind
from anyorder.masking.order import imitate, reconstruct
from anyorder.masking.schedules import Rate
from anyorder.masking.strategies import Cell, NextAction
from anyorder.training.loss import LossSums, Weighting

BALANCES = ["kind", "field", "target", "rate"]


def half_hidden(layout):
    return Cell(Rate(0.5, 0.5))(layout, torch.Generator().manual_seed(0))


def logits_with_nll(nll, batch, order):
    """Logits ``[K, V]`` under which each target's true value has the wanted negative log-likelihood."""
    probability = torch.exp(-torch.as_tensor(nll, dtype=torch.float))[:, None]
    others = (1 - probability) / 99
    return others.log().expand(-1, 100).scatter(1, batch.values[order.targets][:, None], probability.log())


@pytest.mark.parametrize("balance", BALANCES)
@pytest.mark.parametrize("attribute", [a for a in Attribute if a != Attribute.WORD])
def test_knowing_nothing_costs_the_log_of_the_number_of_values(make_batch, make_model, balance, attribute):
    batch, model = make_batch([4, 2]), make_model()
    order = reconstruct(batch.layout, (batch.layout.attribute == attribute) & batch.layout.present)
    logits = torch.where(model(batch.values, batch.layout, order).isfinite(), 0.0, -torch.inf)
    loss = Weighting(balance, 5.0, objects=object_elements).sums(logits, batch.values, batch.layout, order).mean()
    assert float(loss) == pytest.approx(math.log(NUM_VALUES[attribute]), abs=1e-5)


@pytest.mark.parametrize("balance", BALANCES)
def test_parts_of_an_update_combine_to_the_whole(make_trajectory, make_batch, make_model, balance):
    batch, model, weighting = make_batch([4, 1, 3]), make_model(), Weighting(balance, 3.0, objects=object_elements)
    order = half_hidden(batch.layout)
    whole = weighting.sums(model(batch.values, batch.layout, order), batch.values, batch.layout, order)
    total, combined = weighting.weigh(batch.values, batch.layout, order).total(order), 0.0
    single = {"rtol": 1e-5, "atol": 0.0, "check_dtype": False}  # totals are of single precision
    torch.testing.assert_close(total, whole.weight, **single)
    for index in (torch.tensor([0]), torch.tensor([1, 2])):
        values, layout, part = batch.values[index], batch.layout.rows(index), order.rows(index)
        combined += weighting.sums(model(values, layout, part), values, layout, part).mean(total)
    torch.testing.assert_close(combined, whole.mean(), **single)


def test_balance_by_hand(make_batch):
    """One word-less trajectory of one action and a view of one cell: 4 + 1 + 4 elements. The state of each frame and the
    action are targets, costing 1, 2 and 6 nats."""
    batch = make_batch([1], view=(1, 1), mission="")
    hidden = (batch.layout.attribute == Attribute.STATE) | batch.layout.of_kind(Kind.ACTION)
    order = reconstruct(batch.layout, hidden)
    logits = logits_with_nll([1.0, 6.0, 2.0], batch, order)
    for balance, expected in (("target", 9 / 3), ("kind", (1 + 2) / 2 + 6), ("field", (1 + 2) / 2 + 6), ("rate", 9 / 3)):
        loss = Weighting(balance).sums(logits, batch.values, batch.layout, order).mean()
        assert float(loss) == pytest.approx(expected, rel=1e-5), balance


def test_a_rare_field_counts_as_much_as_a_frequent_one(make_batch):
    """Four states of two views and one direction: 1 nat each, and 6."""
    batch = make_batch([1], view=(2, 1), mission="")
    hidden = batch.layout.attribute == Attribute.STATE
    batch.layout.grid.directions(hidden)[0, 0] = True
    order = reconstruct(batch.layout, hidden)
    logits = logits_with_nll([1.0, 1.0, 6.0, 1.0, 1.0], batch, order)
    for balance, expected in (("kind", 10 / 5), ("field", 1 + 6)):
        loss = Weighting(balance).sums(logits, batch.values, batch.layout, order).mean()
        assert float(loss) == pytest.approx(expected, rel=1e-5), balance


def test_weighting_by_rate_by_hand(make_batch):
    """Two trajectories of 9 and 14 elements; 1 and 2 targets weigh 9 / 1 and 14 / 2 each."""
    batch = make_batch([1, 2], view=(1, 1), mission="")
    order = reconstruct(batch.layout, batch.layout.of_kind(Kind.ACTION))
    loss = Weighting("rate").sums(logits_with_nll([1.0, 2.0, 3.0], batch, order), batch.values, batch.layout, order)
    assert float(loss.mean()) == pytest.approx((9 * 1 + 7 * 2 + 7 * 3) / (9 + 7 + 7), rel=1e-5)


def test_object_weight_by_hand(make_batch):
    """The color of two cells: a wall's weighs 1, a ball's weighs 5; so does nothing else of the ball's frame."""
    batch = make_batch([1], view=(1, 1), mission="")
    shape = batch.layout.grid
    shape.cells(batch.values)[0, :, 0, 0] = torch.tensor([2, 6])
    order = reconstruct(batch.layout, batch.layout.attribute == Attribute.COLOR)
    weighting = Weighting("target", 5.0, objects=object_elements)
    sums = weighting.sums(logits_with_nll([1.0, 2.0], batch, order), batch.values, batch.layout, order)
    assert float(sums.mean()) == pytest.approx((1 * 1 + 5 * 2) / 6, rel=1e-5)
    order = reconstruct(batch.layout, batch.layout.of_kind(Kind.ACTION) | (batch.layout.attribute == Attribute.DIRECTION))
    weights = weighting.weigh(batch.values, batch.layout, order).weight
    assert weights[order.targets].tolist() == [1.0, 1.0, 1.0]


def test_a_group_without_targets_costs_nothing():
    sums = LossSums(torch.tensor([0.0, 0.0, 6.0, 0.0]), torch.tensor([0.0, 0.0, 3.0, 0.0]))
    assert float(sums.mean()) == 2.0


@pytest.mark.parametrize("balance", ["kind", "target"])
def test_the_strategy_next_action_is_supervised_fine_tuning(trajectories, vocabulary, encoded, make_model, balance):
    """Loss and gradients equal those of imitation written out: one prefix, one question, one cross-entropy per action."""
    model, batch = make_model((7, 7), vocabulary), encoded.batch([0, 1])

    order = NextAction()(batch.layout, torch.Generator())
    logits = model(batch.values, batch.layout, order)
    ours = Weighting(balance, 5.0, objects=object_elements).sums(logits, batch.values, batch.layout, order).mean()
    ours.backward()
    gradients = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}

    model.zero_grad()
    shape, costs = batch.layout.grid, []
    for row, trajectory in enumerate(trajectories[:2]):
        words, frames = shape.words(batch.values)[row], shape.frames(batch.values)[row]
        for step, action in enumerate(trajectory.actions.tolist()):
            values, layout = collate([Encoded("", words, frames[: step + 1], step + 1)], 7, 7)
            answer = model(values, layout, imitate(layout))[-1]
            first = vocabulary.offsets[Attribute.ACTION]
            costs.append(functional.cross_entropy(answer[None, first : first + 7], torch.tensor([action])))
    direct = torch.stack(costs).mean()
    direct.backward()

    torch.testing.assert_close(ours, direct, atol=1e-5, rtol=1e-5)
    for name, parameter in model.named_parameters():
        expected = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        torch.testing.assert_close(gradients[name], expected, atol=1e-5, rtol=1e-5, msg=name)
    assert max(float(gradient.abs().max()) for gradient in gradients.values()) > 1e-3


@pytest.mark.parametrize("balance", ["kind", "target"])
def test_filled_values_count_as_much_as_is_said(make_trajectory, balance):
    """Half of the actions were filled in. Each of them costs 2 nats, each recorded one 1."""
    whole = make_trajectory(4)
    sure = np.array([0.5, 0, 1, 0], np.float32)
    data = EncodedTrajectories([replace(whole, filled={"actions": sure})], GridVocabulary.of([whole]))
    batch = data.batch([0])
    order = NextAction()(batch.layout, torch.Generator())
    filled = batch.layout.filled[order.targets]
    assert filled.tolist() == [True, False, True, False]
    logits = logits_with_nll(1.0 + filled, batch, order)
    for weight in (0.0, 0.25, 1.0):
        loss = Weighting(balance, 1.0, weight).sums(logits, batch.values, batch.layout, order).mean()
        assert float(loss) == pytest.approx((1 + 2 * weight) / (1 + weight), abs=1e-5)
