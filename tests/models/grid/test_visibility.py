"""Orders at the edge of what there is to see."""

import torch

from anyorder.elements.layout import Kind
from anyorder.masking.order import Order, Role, imitate, reconstruct


def ask(model, batch, order):
    return model(batch.values, batch.layout, order)


def test_an_observation_of_the_highest_rank_may_be_asked_for(make_batch, make_model):
    """Next observation from the past: the last one is the target, nothing comes after it."""
    batch, model = make_batch([3]), make_model()
    last = batch.layout.of_kind(Kind.OBSERVATION) & (batch.layout.step == 3)
    order = Order(reconstruct(batch.layout, last).roles, batch.layout.step.clamp(min=0).int())
    assert len(ask(model, batch, order)) == 3 * 9 + 1


def test_ranks_of_padding_do_not_matter(make_batch, make_model):
    batch, model = make_batch([4, 2]), make_model()
    order = imitate(batch.layout)
    scrambled = torch.where(batch.layout.present, order.ranks, torch.arange(order.ranks.shape[1]).int())
    assert torch.equal(ask(model, batch, Order(order.roles, scrambled)), ask(model, batch, order))


def test_a_dropped_mission_is_as_good_as_none(make_batch, make_model):
    batch, model = make_batch([3]), make_model()
    order = imitate(batch.layout)
    order.roles[batch.layout.of_kind(Kind.MISSION)] = Role.DROPPED
    silent = make_batch([3], mission="")
    torch.testing.assert_close(ask(model, batch, order), ask(model, silent, imitate(silent.layout)))
