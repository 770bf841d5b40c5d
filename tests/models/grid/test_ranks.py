"""Ranks in full: one pass with many targets says what one pass per target would say, in loss and gradient."""

import pytest
import torch
from torch.nn import functional

from anyorder.elements.layout import Kind
from anyorder.inference.chain_rule import log_likelihood
from anyorder.masking.order import Order, Role, imitate, in_turn, reconstruct, sees_value
from anyorder.masking.strategies import Only, Permutation


def permuted(layout):
    """Every observation, return and action asked for, in an order of its own per trajectory."""
    generator = torch.Generator().manual_seed(0)
    ranks = torch.argsort(torch.rand(layout.shape[0], layout.num_units, generator=generator), dim=1).int() + 1
    ranks = ranks.gather(1, layout.unit).masked_fill(layout.of_kind(Kind.MISSION), 0)
    return Order(reconstruct(layout, ~layout.of_kind(Kind.MISSION)).roles, ranks)


def in_blocks(layout):
    """Blocks of two steps, one after the other; within a block some cells are asked for, the rest is shown."""
    hidden = torch.rand(layout.shape, generator=torch.Generator().manual_seed(1)) < 0.6
    order = reconstruct(layout, hidden & ~layout.of_kind(Kind.MISSION))
    return Order(order.roles, (layout.step // 2 + 1).clamp(min=0).int())


def cells_permuted(layout):
    """Every cell asked for, in an order of its own: observations hold as many ranks as cells."""
    return Permutation("cell")(layout, torch.Generator().manual_seed(2))


def some_elements_ranked(layout):
    """Any role and any rank for the elements of some observations."""
    generator = torch.Generator().manual_seed(3)
    order = in_blocks(layout)
    roles = torch.randint(4, layout.shape, generator=generator, dtype=torch.uint8)
    ranks = torch.randint(4, layout.shape, generator=generator, dtype=torch.int32)
    mixed = layout.of_kind(Kind.OBSERVATION) & (layout.step % 2 == 0)
    return Order(torch.where(mixed, roles, order.roles), torch.where(mixed, ranks, order.ranks))


def words_permuted(layout):
    """The mission's words one after the other, from the last to the first, with the whole episode in sight."""
    order = reconstruct(layout, layout.of_kind(Kind.MISSION))
    return Order(order.roles, torch.where(layout.of_kind(Kind.MISSION), layout.num_cells - layout.cell, 0).int())


def mission_in_between(layout):
    """Words and actions asked for, the mission after the action of step 0 and before the others."""
    order = imitate(layout)
    mission = layout.of_kind(Kind.MISSION)
    return Order(order.roles.masked_fill(mission, Role.TARGET), order.ranks.masked_fill(mission, 4))


ORDERS = {
    "next action": imitate,
    "next observation": lambda layout: in_turn(reconstruct(layout, layout.of_kind(Kind.OBSERVATION)), layout),
    "next step": lambda layout: in_turn(reconstruct(layout, ~layout.of_kind(Kind.MISSION)), layout),
    "observations by step": lambda layout: Order(
        reconstruct(layout, layout.of_kind(Kind.OBSERVATION)).roles, layout.step.clamp(min=0).int()
    ),
    "permutation": permuted,
    "blocks": in_blocks,
    "any order": lambda layout: Order(in_blocks(layout).roles, torch.zeros(layout.shape).int()),
    "words and actions": lambda layout: reconstruct(layout, layout.of_kind(Kind.MISSION) | layout.of_kind(Kind.ACTION)),
}


IN_READINGS = {
    "cells permuted": cells_permuted,
    "elements ranked": some_elements_ranked,
    "words permuted": words_permuted,
    "mission in between": mission_in_between,
}


@pytest.mark.parametrize("name", IN_READINGS)
def test_ranks_that_cannot_share_a_pass_are_what_each_rank_sees_in_one_of_its_own(make_batch, make_model, name):
    """A permutation of cells is cell by cell decoding: what is lower is shown, what is higher does not exist."""
    batch, model = make_batch([3, 1, 2], view=(2, 2)), make_model((2, 2))
    order = IN_READINGS[name](batch.layout)
    with torch.no_grad():
        logits = model(batch.values, batch.layout, order)
        for rank in order.ranks[order.targets].unique().tolist():
            asked = order.targets & (order.ranks == rank)
            seen = sees_value(order.roles, order.ranks, torch.tensor(rank))
            symbols = (order.roles == Role.HIDDEN) & (order.ranks <= rank)
            roles = torch.full_like(order.roles, int(Role.DROPPED)).masked_fill(symbols, int(Role.HIDDEN))
            roles = roles.masked_fill(seen, int(Role.CONTEXT)).masked_fill(asked, int(Role.TARGET))
            single = Order(roles, torch.zeros_like(order.ranks))
            torch.testing.assert_close(logits[asked[order.targets]], model(batch.values, batch.layout, single))


def test_the_joint_probability_of_a_view_is_the_chain_along_its_cells(make_batch, make_model):
    batch, model = make_batch([2], view=(2, 2)), make_model((2, 2))
    view = Only(Permutation("cell"), kinds=(Kind.OBSERVATION,), steps=(1, 1))
    order = view(batch.layout, torch.Generator().manual_seed(0))
    found = log_likelihood(model, batch, order)
    by_hand = torch.zeros((), dtype=torch.float64)
    for rank in order.ranks[order.targets].unique().tolist():
        asked = order.targets & (order.ranks == rank)
        shown = sees_value(order.roles, order.ranks, torch.tensor(rank))
        roles = torch.full_like(order.roles, int(Role.DROPPED)).masked_fill(shown, int(Role.CONTEXT))
        single = Order(roles.masked_fill(asked, int(Role.TARGET)), torch.zeros_like(order.ranks))
        by_hand += log_likelihood(model, batch, single).total[0]
    assert order.ranks[order.targets].unique().numel() == 5  # four squares and a direction
    torch.testing.assert_close(found.total[0], by_hand)


def test_trajectories_with_and_without_such_observations_share_a_batch(make_batch, make_model):
    batch, model = make_batch([2, 3, 1], view=(2, 2)), make_model((2, 2))
    apart, plain = cells_permuted(batch.layout), imitate(batch.layout)
    mixed = Order(
        *(
            torch.cat([plain_one[:1], one[1:2], plain_one[2:]])
            for plain_one, one in ((plain.roles, apart.roles), (plain.ranks, apart.ranks))
        )
    )
    logits, rows = model(batch.values, batch.layout, mixed), mixed.targets.nonzero()[:, 0]
    for row in range(3):
        index = torch.tensor([row])
        alone_there = model(batch.values[index], batch.layout.rows(index), mixed.rows(index))
        torch.testing.assert_close(logits[rows == row], alone_there)


def alone(order, layout, rank):
    """The order in which only targets of this rank are asked: what is lower is shown, what is higher does not exist.
    Ranks are spread out, so that what was seen above its own rank still is."""
    lower, higher = order.ranks < rank, order.ranks > rank
    roles = order.roles.clone()
    roles[order.targets & lower] = Role.CONTEXT
    roles[higher] = Role.DROPPED
    asked = torch.zeros(len(roles), layout.num_units).scatter_reduce(1, layout.unit, order.targets.float(), "amax")
    return Order(roles, 2 * order.ranks + (asked.gather(1, layout.unit).bool() & lower).int())


@pytest.mark.parametrize("name", ORDERS)
def test_one_pass_says_what_one_pass_per_rank_says(make_batch, make_model, name):
    batch, model = make_batch([4, 2, 3], view=(2, 2)), make_model((2, 2))
    order = ORDERS[name](batch.layout)
    truth = batch.values[order.targets]
    loss = functional.cross_entropy(model(batch.values, batch.layout, order), truth, reduction="sum")
    whole = torch.autograd.grad(loss, list(model.parameters()), allow_unused=True)

    total = 0.0
    for rank in order.ranks[order.targets].unique().tolist():
        single = alone(order, batch.layout, rank)
        logits = model(batch.values, batch.layout, single)
        total = total + functional.cross_entropy(logits, batch.values[single.targets], reduction="sum")
    torch.testing.assert_close(loss, total, rtol=1e-10, atol=1e-10)
    parts = torch.autograd.grad(total, list(model.parameters()), allow_unused=True)
    for one, other in zip(whole, parts):
        assert (one is None) == (other is None)
        if one is not None:
            torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("name", ORDERS)
def test_targets_of_one_rank_do_not_care_who_else_is_scored(make_batch, make_model, name):
    batch, model = make_batch([3], view=(2, 2)), make_model((2, 2))
    order = ORDERS[name](batch.layout)
    highest = order.ranks[order.targets].amax()
    chosen = order.targets & (order.ranks == highest)
    one = chosen & (chosen.cumsum(dim=1) == 1)
    others_hidden = Order(order.roles.masked_fill(chosen & ~one, int(Role.HIDDEN)), order.ranks)
    logits = model(batch.values, batch.layout, order)[one[order.targets]]
    torch.testing.assert_close(model(batch.values, batch.layout, others_hidden)[one[others_hidden.targets]], logits)


def test_later_ranks_add_nothing(make_batch, make_model):
    """Dropping what comes later changes no answer."""
    batch, model = make_batch([4, 3], view=(2, 2)), make_model((2, 2))
    for make in ORDERS.values():
        order = make(batch.layout)
        for rank in range(int(order.ranks.amax())):
            early = Order(order.roles.masked_fill(order.ranks > rank, int(Role.DROPPED)), order.ranks)
            kept = (order.ranks <= rank)[order.targets]
            whole = model(batch.values, batch.layout, order)[kept]
            torch.testing.assert_close(model(batch.values, batch.layout, early), whole)


def test_a_mixture_of_one_and_two_forms_keeps_every_answer_in_its_place(make_batch, make_model):
    batch, model = make_batch([3, 2, 4, 1], view=(2, 2)), make_model((2, 2))
    orders = [permuted(batch.layout), reconstruct(batch.layout, batch.layout.step == 1)]
    which = torch.tensor([0, 1, 0, 1])[:, None].bool()
    mixed = Order(torch.where(which, orders[1].roles, orders[0].roles), torch.where(which, orders[1].ranks, orders[0].ranks))
    together = model(batch.values, batch.layout, mixed)
    rows = mixed.targets.nonzero()[:, 0]
    for row in range(4):
        index = torch.tensor([row])
        apart = model(batch.values[index], batch.layout.rows(index), mixed.rows(index))
        torch.testing.assert_close(together[rows == row], apart)


@pytest.mark.parametrize("order_of", [permuted, imitate, lambda layout: reconstruct(layout, layout.step.abs() == 1)])
def test_a_long_episode_in_blocks_is_what_it_is_in_one(make_batch, make_model, order_of, monkeypatch):
    batch, model = make_batch([6, 4, 7], view=(2, 2)), make_model((2, 2))
    order = order_of(batch.layout)

    def answered():
        logits = model(batch.values, batch.layout, order)
        gradients = torch.autograd.grad(logits.softmax(dim=-1)[:, ::2].sum(), list(model.parameters()), allow_unused=True)
        return [logits, *(gradient for gradient in gradients if gradient is not None)]

    whole = answered()
    monkeypatch.setattr("anyorder.models.grid.visibility.STEPS_PER_BLOCK", 3)
    torch.testing.assert_close(answered(), whole)


@pytest.mark.parametrize("order_of", [permuted, imitate, lambda layout: reconstruct(layout, layout.step == 1)])
def test_low_precision_answers_nearly_the_same(make_batch, make_model, order_of):
    batch, model = make_batch([3, 2, 4, 1], view=(2, 2)), make_model((2, 2)).float()
    order = order_of(batch.layout)
    exact = model(batch.values, batch.layout, order).softmax(dim=-1)
    with torch.autocast("cpu", torch.bfloat16):
        lowered = model(batch.values, batch.layout, order)
    assert lowered.dtype == torch.float32
    torch.testing.assert_close(lowered.softmax(dim=-1), exact, atol=0.04, rtol=0)
    lowered.softmax(dim=-1)[:, 0].sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters() if parameter.grad is not None)


def test_a_value_is_felt_by_all_that_come_later_in_the_order(make_batch, make_model, other_values):
    """Even by what has nothing else to see: the first in time, asked last."""
    batch, model = make_batch([3], view=(2, 2)), make_model((2, 2))
    layout = batch.layout
    order = permuted(layout)
    reverse = Order(order.roles, torch.where(layout.kind == Kind.MISSION, 0, layout.num_units - layout.unit).int())
    for rank in range(1, layout.num_units):
        changed = other_values(batch, (reverse.ranks == rank) & layout.present)
        before, after = (model(values, layout, reverse) for values in (batch.values, changed))
        felt = ((before - after).nan_to_num().abs() > 1e-9).any(dim=1)
        later = (reverse.ranks > rank)[reverse.targets]
        exists = bool(((reverse.ranks == rank) & layout.present & ~layout.of_kind(Kind.MISSION)).any())
        assert torch.equal(felt, later & exists), rank
