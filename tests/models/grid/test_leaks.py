"""What an order hides cannot be felt in any prediction, and what it shows can.

Values are changed and predictions compared, in double precision: nothing may move that the law of ranks forbids.
"""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from anyorder.data.damage import Damage
from anyorder.elements.batch import EncodedTrajectories
from anyorder.elements.grid import Attribute, GridVocabulary
from anyorder.elements.layout import Kind
from anyorder.masking.order import Order, Role, imitate, reconstruct, sees_value

LENGTHS = [5, 3]


def moved(model, batch, order, values):
    """bool ``[K]``: the targets whose prediction differs when the batch has these values instead."""
    with torch.no_grad():
        before = model(batch.values, batch.layout, order)
        after = model(values, batch.layout, order)
    return ((before - after).nan_to_num().abs() > 1e-6).any(dim=1)


def with_returns(order, layout):
    """The same, with every return in sight."""
    order.roles[layout.of_kind(Kind.RETURN)] = Role.CONTEXT
    return order


def random_order(layout, num_ranks, seed, within=False):
    """Any role for any element and any rank for any unit (``within``: for any element of an observation or a mission)."""
    generator = torch.Generator().manual_seed(seed)
    roles = torch.randint(4, layout.shape, generator=generator, dtype=torch.uint8)
    ranks = torch.randint(num_ranks, (len(roles), layout.num_units), generator=generator, dtype=torch.int32)
    ranks = ranks.gather(1, layout.unit)
    own = torch.randint(num_ranks, layout.shape, generator=generator, dtype=torch.int32)
    ranks = torch.where((layout.of_kind(Kind.OBSERVATION) | layout.of_kind(Kind.MISSION)) & within, own, ranks)
    roles[:, layout.kind[0] == Kind.ACTION] = torch.where(
        torch.rand(len(roles), 1, generator=generator) < 0.5, Role.TARGET, roles[:, layout.kind[0] == Kind.ACTION]
    ).to(torch.uint8)
    roles[~layout.present] = Role.DROPPED
    return Order(roles, ranks)


@settings(max_examples=40, deadline=None)
@given(num_ranks=st.integers(1, 6), seed=st.integers(0, 2**30), within=st.booleans())
def test_no_order_lets_a_prediction_feel_what_it_may_not_see(make_batch, make_model, other_values, num_ranks, seed, within):
    batch, model = make_batch(LENGTHS, view=(2, 2)), make_model((2, 2))
    order = random_order(batch.layout, num_ranks, seed, within)
    own_rank = order.ranks[order.targets]
    for role in Role:
        for rank in range(num_ranks):
            values = other_values(batch, (order.roles == role) & (order.ranks == rank))
            forbidden = ~sees_value(torch.tensor(role), torch.tensor(rank), own_rank)
            assert not (moved(model, batch, order, values) & forbidden).any(), (role, rank)


@pytest.mark.parametrize("role", [Role.TARGET, Role.HIDDEN, Role.DROPPED])
@pytest.mark.parametrize("attribute", list(Attribute))
def test_a_hidden_value_changes_no_bit_of_any_logit(make_batch, make_model, other_values, role, attribute):
    batch, model = make_batch(LENGTHS), make_model()
    chosen = (batch.layout.attribute == attribute) & batch.layout.present
    asked = torch.rand(batch.layout.shape, generator=torch.Generator().manual_seed(0)) < 0.2
    order = reconstruct(batch.layout, asked & ~chosen & (batch.layout.kind != Kind.MISSION))
    order.roles[chosen] = role
    with torch.no_grad():
        before = model(batch.values, batch.layout, order)
        after = model(other_values(batch, chosen), batch.layout, order)
    assert torch.equal(before, after)


@pytest.mark.parametrize("attribute", Attribute)
def test_a_later_visible_value_is_felt_by_an_earlier_prediction(make_batch, make_model, other_values, attribute):
    """Reconstruction is bidirectional, and it reads the mission."""
    batch, model = make_batch([5]), make_model()
    layout = batch.layout
    late = (layout.attribute == attribute) & ((layout.step == 4) | (layout.step == -1))
    hidden = layout.of_kind(Kind.ACTION) & (layout.step == 0)
    assert moved(model, batch, with_returns(reconstruct(layout, hidden), layout), other_values(batch, late)).all()
    cell_of_two_frames_before = layout.of_kind(Kind.OBSERVATION) & (layout.step == 2)
    order = with_returns(reconstruct(layout, cell_of_two_frames_before), layout)
    assert moved(model, batch, order, other_values(batch, late)).any()


@pytest.mark.parametrize("step", range(5))
def test_in_imitation_an_action_is_felt_later_and_only_later(make_batch, make_model, other_values, step):
    batch, model = make_batch([5]), make_model()
    order = imitate(batch.layout)
    values = other_values(batch, batch.layout.of_kind(Kind.ACTION) & (batch.layout.step == step))
    assert moved(model, batch, order, values).tolist() == [t > step for t in range(5)]


@pytest.mark.parametrize("attribute", [Attribute.OBJECT, Attribute.COLOR, Attribute.STATE, Attribute.DIRECTION])
@pytest.mark.parametrize("step", range(6))
def test_in_imitation_an_observation_is_felt_at_its_step_and_later(make_batch, make_model, other_values, step, attribute):
    batch, model = make_batch([5]), make_model()
    values = other_values(batch, (batch.layout.attribute == attribute) & (batch.layout.step == step))
    felt = moved(model, batch, imitate(batch.layout), values).tolist()
    assert felt == [t >= step for t in range(5)]


def test_past_actions_are_felt_where_no_observation_is_there(make_batch, make_model, other_values):
    batch, model = make_batch([5]), make_model()
    order = imitate(batch.layout)
    order.roles[batch.layout.of_kind(Kind.OBSERVATION)] = Role.DROPPED
    values = other_values(batch, batch.layout.of_kind(Kind.ACTION) & (batch.layout.step == 2))
    assert moved(model, batch, order, values).tolist() == [False, False, False, True, True]


SINGLES = (Attribute.ACTION, Attribute.RETURN)


@pytest.mark.parametrize("attribute", [a for a in Attribute if a not in SINGLES])
def test_what_is_dropped_is_absent_and_what_is_hidden_is_known_to_be_there(make_batch, make_model, attribute):
    batch, model = make_batch([5]), make_model()
    answers = []
    for role in (Role.HIDDEN, Role.DROPPED):
        order = imitate(batch.layout)
        order.roles[batch.layout.attribute == attribute] = role
        answers.append(model(batch.values, batch.layout, order))
    assert ((answers[0] - answers[1]).nan_to_num().abs().amax(dim=1) > 1e-6).all()


def test_trajectories_of_a_batch_do_not_feel_each_other(make_batch, make_model, other_values):
    batch, model = make_batch([4, 4]), make_model()
    first = torch.tensor([[True], [False]])
    for order in (imitate(batch.layout), reconstruct(batch.layout, batch.layout.of_kind(Kind.ACTION))):
        assert not moved(model, batch, order, other_values(batch, first))[4:].any()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**30), num_ranks=st.integers(1, 4), cells=st.sampled_from([0.2, 0.9]))
def test_absent_values_are_the_same_as_dropped_ones(make_trajectory, make_model, seed, num_ranks, cells):
    """Whatever the arrays hold there. That dropped values are not seen is tested above."""
    whole = [make_trajectory(length, view=(2, 2), seed=seed + length) for length in LENGTHS]
    vocabulary, model = GridVocabulary.of(whole), make_model((2, 2))
    lost = [Damage(actions=0.4, cells=cells, frames=0.3)(one) for one in whole]
    others = [replace(one, absent=two.absent) for one, two in zip(whole, lost)]
    full, damaged, other = (EncodedTrajectories(data, vocabulary).batch(range(2)) for data in (whole, lost, others))
    order = random_order(damaged.layout, num_ranks, seed)
    if not order.targets.any():
        return
    with torch.no_grad():
        told = model(damaged.values, damaged.layout, order)
        assert torch.equal(told, model(other.values, other.layout, order))
        ranks = random_order(full.layout, num_ranks, seed).ranks
        assert torch.allclose(told, model(full.values, full.layout, Order(order.roles, ranks)), atol=1e-9)
