"""The chain rule against a joint distribution that is known, and on the grid model against the law of the sum 1."""

import itertools
import math

import pytest
import torch
from exact_joint import ExactJoint

from anyorder.elements.batch import Batch
from anyorder.elements.grid import Attribute, GridVocabulary
from anyorder.elements.layout import Kind
from anyorder.inference.chain_rule import ChainByRounds, ChainInOnePass, log_likelihood, spread_over_orders
from anyorder.masking.order import Order, Role, imitate, reconstruct
from anyorder.masking.queries import InfillQuery, RandomHiddenCellsQuery


@pytest.fixture(scope="module")
def joint():
    return torch.rand(7, 7, 7, generator=torch.Generator().manual_seed(0)) ** 3


@pytest.fixture(scope="module")
def every_three(make_batch):
    """The same trajectory with every value of its three actions: 343 rows."""
    batch = make_batch([3]).rows(torch.zeros(343, dtype=torch.int64))
    return with_values(batch, batch.layout.of_kind(Kind.ACTION), itertools.product(range(7), repeat=3))


@pytest.fixture(scope="module")
def model(make_model):
    return make_model()


def with_values(batch, where, rows):
    """Each row's own numbers (0.. of their attribute) at the places ``where``."""
    offsets = GridVocabulary(("<unknown>",)).offsets
    start = torch.tensor([offsets.get(attribute, 0) for attribute in Attribute])[batch.layout.attribute]
    numbers = torch.tensor(list(rows)).flatten()
    return Batch(batch.values.masked_scatter(where, numbers + start[where]), batch.layout)


def expected_of(joint):
    return (joint.double() / joint.sum()).log().flatten()


@pytest.mark.parametrize("sequence", list(itertools.permutations([3, 6, 9])))
def test_every_order_gives_the_joint_pass_by_pass(joint, every_three, sequence):
    order = reconstruct(every_three.layout, every_three.layout.of_kind(Kind.ACTION))
    found = log_likelihood(ExactJoint(joint), every_three, order, ChainByRounds("unit", list(sequence)))
    torch.testing.assert_close(found.total, expected_of(joint))
    assert found.total.dtype == torch.float64


@pytest.mark.parametrize("ranks", list(itertools.permutations([0, 1, 2])))
def test_every_order_gives_the_joint_in_one_pass(joint, every_three, ranks):
    order = reconstruct(every_three.layout, every_three.layout.of_kind(Kind.ACTION))
    every_three.layout.grid.actions(order.ranks)[:, :3] = torch.tensor(ranks, dtype=torch.int32)
    model = ExactJoint(joint)
    found = log_likelihood(model, every_three, order, ChainInOnePass())
    torch.testing.assert_close(found.total, expected_of(joint))
    assert len(model.passes) == 1
    torch.testing.assert_close(found.total.exp().sum(), torch.tensor(1.0, dtype=torch.float64))


def test_terms_are_the_conditionals(joint, every_three):
    order = reconstruct(every_three.layout, every_three.layout.of_kind(Kind.ACTION))
    terms = log_likelihood(ExactJoint(joint), every_three, order, ChainByRounds("element", "reverse")).per_element
    last = joint.double().sum(dim=(0, 1)) / joint.sum()
    actions = every_three.layout.grid.actions(terms)[:, :3]
    torch.testing.assert_close(actions[:7, 2], last.log())
    assert not terms[~order.targets].any()


def test_equal_ranks_in_one_pass_are_independent_marginals(joint, every_three):
    order = reconstruct(every_three.layout, every_three.layout.of_kind(Kind.ACTION))
    found = ChainInOnePass()(ExactJoint(joint), every_three, order).total
    share = joint.double() / joint.sum()
    marginals = [share.sum(dim=[other for other in range(3) if other != axis]).log() for axis in range(3)]
    expected = marginals[0][:, None, None] + marginals[1][:, None] + marginals[2]
    torch.testing.assert_close(found, expected.flatten())


def test_no_spread_where_there_is_a_joint(joint, every_three):
    batch = every_three.rows(torch.tensor([0, 100, 342]))
    elements = batch.layout.of_kind(Kind.ACTION)
    spread = spread_over_orders(ExactJoint(joint), batch, elements, 8, torch.Generator().manual_seed(0))
    expected = expected_of(joint)[[0, 100, 342]]
    for found in (spread.mean, spread.min, spread.max):
        torch.testing.assert_close(found, expected)
    assert spread.totals.shape == (8, 3) and spread.std.max() < 1e-12


@pytest.fixture(scope="module")
def two_small(make_batch):
    """A direction (4 values) and an action (7), every value of both: 28 rows; and where they are."""
    batch = make_batch([3]).rows(torch.zeros(28, dtype=torch.int64))
    layout = batch.layout
    where = (layout.attribute == Attribute.DIRECTION) & (layout.step == 1)
    where |= layout.of_kind(Kind.ACTION) & (layout.step == 0)
    # In a row the action of step 0 comes before the direction of step 1.
    return with_values(batch, where, itertools.product(range(7), range(4))), where


@pytest.mark.parametrize("sequence", ["time", "reverse", "random"])
@pytest.mark.parametrize("group", ["element", "cell", "unit"])
def test_the_grid_model_sums_to_one_along_each_order(model, two_small, group, sequence):
    batch, where = two_small
    found = log_likelihood(model, batch, reconstruct(batch.layout, where), ChainByRounds(group, sequence)).total
    if sequence == "random":  # each row has its own order; the sum over rows of one order is 1
        assert_two_orders(model, two_small, found)
    else:
        assert abs(float(found.exp().sum()) - 1) < 1e-9


def assert_two_orders(model, two_small, found):
    batch, where = two_small
    order = reconstruct(batch.layout, where)
    one, other = (ChainByRounds("element", s)(model, batch, order).total for s in ("time", "reverse"))
    is_one, is_other = torch.isclose(found, one), torch.isclose(found, other)
    assert bool((is_one | is_other).all()) and bool(is_one.any()) and bool(is_other.any())


@pytest.mark.parametrize("flip", [False, True])
def test_the_grid_model_sums_to_one_along_ranks(model, two_small, flip):
    batch, where = two_small
    order = reconstruct(batch.layout, where)
    later = batch.layout.step == 1 if not flip else batch.layout.of_kind(Kind.ACTION) & (batch.layout.step == 0)
    total = ChainInOnePass()(model, batch, Order(order.roles, later.to(torch.int32))).total
    assert abs(float(total.exp().sum()) - 1) < 1e-9


def test_the_spread_is_that_of_the_two_orders(model, two_small):
    batch, where = two_small
    order = reconstruct(batch.layout, where)
    both = torch.stack([ChainByRounds("element", s)(model, batch, order).total for s in ("time", "reverse")])
    spread = spread_over_orders(model, batch, where, 12, torch.Generator().manual_seed(0))
    torch.testing.assert_close(spread.min, both.amin(dim=0))
    torch.testing.assert_close(spread.max, both.amax(dim=0))
    assert spread.std.min() > 0, "a model trained on nothing is no joint distribution"
    torch.testing.assert_close(spread.mean, spread.totals.mean(dim=0))


def test_imitation_in_one_pass_is_the_sum_over_actions(model, make_batch):
    batch = make_batch([4, 2])
    order = imitate(batch.layout)
    with torch.no_grad():
        logits = model(batch.values, batch.layout, order)
    by_hand = -torch.nn.functional.cross_entropy(logits, batch.values[order.targets], reduction="none")
    expected = torch.stack([by_hand[:4].sum(), by_hand[4:].sum()])
    torch.testing.assert_close(ChainInOnePass()(model, batch, order).total, expected)


def test_trajectories_of_other_lengths_change_nothing(model, make_batch):
    batch = make_batch([4, 2, 3])
    order = RandomHiddenCellsQuery(0.2)(batch.layout)
    together = ChainByRounds("cell")(model, batch, order).total
    for row in range(3):
        index = torch.tensor([row])
        alone = ChainByRounds("cell")(model, batch.rows(index), order.rows(index)).total
        torch.testing.assert_close(alone[0], together[row])


def test_uniform_answers_give_the_number_of_values(make_batch, every_three):
    order = reconstruct(every_three.layout, every_three.layout.of_kind(Kind.ACTION))
    total = ChainByRounds("unit")(ExactJoint(torch.ones(7, 7, 7)), every_three, order).total
    torch.testing.assert_close(total, torch.full((343,), -3 * math.log(7), dtype=torch.float64))


def test_what_does_not_fit_is_said(model, make_batch):
    batch = make_batch([3])
    with pytest.raises(ValueError, match="several ranks"):
        ChainByRounds()(model, batch, imitate(batch.layout))
    with pytest.raises(ValueError, match="group must be one of element, cell, unit"):
        ChainByRounds("frame")(model, batch, InfillQuery(1, 2)(batch.layout))
    with pytest.raises(ValueError, match="num_orders"):
        spread_over_orders(model, batch, batch.layout.of_kind(Kind.ACTION), 0, torch.Generator())
    assert Role.TARGET in InfillQuery(1, 2)(batch.layout).roles
