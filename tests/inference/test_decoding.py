"""Decoders against a model whose joint distribution is known, and against passes made by hand."""

from dataclasses import replace

import pytest
import torch
from exact_joint import ExactJoint

from anyorder.elements.layout import Kind
from anyorder.inference.decoding import AlongRanks, ByConfidence, GroupByGroup, SinglePass, choose, nucleus
from anyorder.masking.order import Order, Role, imitate, reconstruct
from anyorder.masking.queries import FutureQuery, InfillQuery, NextActionQuery, RandomHiddenCellsQuery

EVERY = [
    SinglePass(),
    ByConfidence(4),
    GroupByGroup("unit", "time"),
    GroupByGroup("unit", "reverse"),
    GroupByGroup("unit", "random", ByConfidence(2)),
    AlongRanks(),
    SinglePass(1.0, 0.9),
    ByConfidence(3, temperature=1.0),
]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def model(make_model):
    return make_model()


@pytest.fixture(scope="module")
def batch(make_batch):
    return make_batch([4, 2, 3])


@pytest.fixture
def copies(make_batch):
    """400 times the same trajectory of three actions, all asked for."""
    batch = make_batch([3]).rows(torch.zeros(400, dtype=torch.int64))
    return batch, reconstruct(batch.layout, batch.layout.of_kind(Kind.ACTION))


def joint_of_equals():
    """Three actions, always equal; which, is uniform."""
    return torch.eye(7)[:, :, None] * torch.eye(7)[:, None, :] * torch.eye(7)[None]


def actions(batch, decoded):
    return batch.layout.grid.actions(decoded.values)[:, :3]


def test_one_pass_takes_the_most_probable_value_of_each_target(model, batch):
    order = RandomHiddenCellsQuery(0.4)(batch.layout)
    decoded = SinglePass()(model, batch, order, generator())
    with torch.no_grad():
        logits = model(batch.values, batch.layout, order)
    probabilities, values = logits.float().softmax(dim=-1).max(dim=-1)
    assert torch.equal(decoded.values[order.targets], values) and torch.equal(decoded.logits, logits)
    torch.testing.assert_close(decoded.probability[order.targets], probabilities)
    assert torch.equal(decoded.values[~order.targets], batch.values[~order.targets])
    assert bool((decoded.probability[~order.targets] == 1).all())


@pytest.mark.parametrize("decoder", EVERY)
def test_no_true_value_of_a_target_is_read(model, batch, other_values, decoder):
    order = InfillQuery(1, 3)(batch.layout)
    changed = replace(batch, values=other_values(batch, order.targets))
    first, second = (decoder(model, b, order, generator()) for b in (batch, changed))
    assert torch.equal(first.values, second.values) and torch.equal(first.probability, second.probability)


@pytest.mark.parametrize("decoder", EVERY)
def test_equal_generators_give_equal_answers(model, batch, decoder):
    order = InfillQuery(1, 3)(batch.layout)
    first, second = (decoder(model, batch, order, generator(7)) for _ in range(2))
    assert torch.equal(first.values, second.values)
    assert bool(((first.probability > 0) & (first.probability <= 1)).all())


def test_other_seeds_sample_something_else(model, batch):
    order = InfillQuery(1, 3)(batch.layout)
    first, second = (SinglePass(1.0)(model, batch, order, generator(seed)) for seed in (1, 2))
    assert not torch.equal(first.values, second.values)


@pytest.mark.parametrize(
    "decoder", [SinglePass(), ByConfidence(3), GroupByGroup("unit", "time"), GroupByGroup("unit", "reverse"), AlongRanks()]
)
def test_neighbours_in_a_batch_change_nothing(model, batch, decoder):
    order = RandomHiddenCellsQuery(0.3)(batch.layout)  # other numbers of targets in other lengths
    together = decoder(model, batch, order, generator())
    for row in range(3):
        index = torch.tensor([row])
        alone = decoder(model, batch.rows(index), order.rows(index), generator())
        assert torch.equal(alone.values[0], together.values[row])
        torch.testing.assert_close(alone.probability[0], together.probability[row])


@pytest.mark.parametrize(
    "decoder",
    [
        GroupByGroup("unit", "random", SinglePass(1.0)),
        GroupByGroup("unit", "time", SinglePass(1.0)),
        ByConfidence(3, temperature=1.0),
    ],
)
def test_what_was_decided_is_seen_by_what_is_decided_later(copies, decoder):
    batch, order = copies
    alone = actions(batch, SinglePass(1.0)(ExactJoint(joint_of_equals()), batch, order, generator()))
    assert not bool((alone == alone[:, :1]).all()), "in one pass nobody knows what the others chose"
    together = actions(batch, decoder(ExactJoint(joint_of_equals()), batch, order, generator()))
    assert bool((together == together[:, :1]).all())
    assert len(together.unique()) == 7


def test_along_ranks_feeds_values_back_too(copies):
    batch, _order = copies
    ranked = imitate(batch.layout)
    together = actions(batch, AlongRanks(1.0)(ExactJoint(joint_of_equals()), batch, ranked, generator()))
    assert bool((together == together[:, :1]).all()) and len(together.unique()) == 7


@pytest.mark.parametrize("decoder", [GroupByGroup("unit", "random", SinglePass(1.0)), AlongRanks(1.0)])
def test_samples_have_the_joint_distribution(make_batch, decoder):
    batch = make_batch([2]).rows(torch.zeros(4_000, dtype=torch.int64))
    joint = torch.rand(7, 7, generator=generator()) ** 4
    order = imitate(batch.layout) if isinstance(decoder, AlongRanks) else InfillQuery(0, 3)(batch.layout)
    order = Order(order.roles.masked_fill(batch.layout.of_kind(Kind.OBSERVATION), Role.HIDDEN), order.ranks)
    model = ExactJoint(joint)
    decoded = decoder(model, batch, order, generator(3))
    first, second = (batch.layout.grid.actions(decoded.values)[:, :2] - model.first).T
    share = torch.bincount(7 * first + second, minlength=49) / len(first)
    expected = model.joint.flatten().float()
    deviation = (share - expected) / (expected * (1 - expected) / len(first)).sqrt().clamp(min=1e-4)
    assert deviation.abs().max() < 4.5
    found = decoded.probability[batch.layout.of_kind(Kind.ACTION)].view(-1, 2).prod(dim=1)
    torch.testing.assert_close(found, expected[7 * first + second], rtol=1e-4, atol=1e-6)


def test_the_surest_are_decided_first_in_equal_shares(copies):
    batch, order = copies
    sure = torch.zeros(7, 7, 7)
    sure[3, :, 2] = torch.rand(7, generator=generator()) + 0.1  # the middle action is open, the others are certain
    model = ExactJoint(sure)
    ByConfidence(2)(model, batch, order, generator())
    first, second = (passes[0].tolist() for passes in model.passes)
    assert first == [Role.TARGET] * 3
    assert second == [Role.CONTEXT, Role.TARGET, Role.CONTEXT], "ceil(3 / 2) = 2 are decided in the first of two passes"


def test_as_many_passes_as_targets_decide_one_each(copies):
    batch, order = copies
    model = ExactJoint(torch.rand(7, 7, 7, generator=generator()))
    ByConfidence(3)(model, batch, order, generator())
    assert [(roles == Role.TARGET).sum(dim=1).unique().tolist() for roles in model.passes] == [[3], [2], [1]]


def test_one_pass_by_confidence_is_a_single_pass(model, batch):
    order = RandomHiddenCellsQuery(0.4)(batch.layout)
    one, single = (decoder(model, batch, order, generator()) for decoder in (ByConfidence(1), SinglePass()))
    assert torch.equal(one.values, single.values) and torch.equal(one.logits, single.logits)


@pytest.mark.parametrize(
    ("sequence", "expected"),
    [("time", [0, 1, 2]), ("reverse", [2, 1, 0]), ([6, 9, 3], [1, 2, 0]), (torch.tensor([[9, 3, 6]]), [2, 0, 1])],
)
def test_units_come_in_their_sequence(copies, sequence, expected):
    batch, order = copies  # units 3, 6 and 9 are the actions
    model = ExactJoint(torch.rand(7, 7, 7, generator=generator()))
    GroupByGroup("unit", sequence)(model, batch, order, generator())
    assert [int((roles[0] == Role.TARGET).nonzero()) for roles in model.passes] == expected
    for number, roles in enumerate(model.passes):
        assert [int(roles[0, unit]) for unit in expected[:number]] == [Role.CONTEXT] * number
        assert [int(roles[0, unit]) for unit in expected[number + 1 :]] == [Role.HIDDEN] * (2 - number)


def test_random_sequences_differ_between_trajectories_and_are_uniform(copies):
    batch, order = copies
    model = ExactJoint(torch.rand(7, 7, 7, generator=generator()))
    GroupByGroup("unit", "random")(model, batch, order, generator())
    first, second, _ = ((roles == Role.TARGET).float().argmax(dim=1) for roles in model.passes)
    counts = torch.bincount(3 * first + second, minlength=9)
    assert counts[[0, 4, 8]].sum() == 0 and counts[[1, 2, 3, 5, 6, 7]].min() > 400 / 6 - 4 * 8


def test_along_ranks_is_the_training_order_with_chosen_values(model, batch):
    order = FutureQuery(0, 2, autoregressive=True)(batch.layout)
    found = AlongRanks()(model, batch, order, generator())
    values = batch.values.clone()
    for rank in order.ranks[order.targets].unique():
        with torch.no_grad():
            chosen = model(values, batch.layout, order).argmax(dim=-1)
        now = order.targets & (order.ranks == rank)
        values[now] = chosen[now[order.targets]]
    assert torch.equal(found.values, values)
    assert len(order.ranks[order.targets].unique()) == 4


@pytest.mark.parametrize("decoder", [SinglePass(), ByConfidence(2), GroupByGroup()])
def test_targets_of_several_ranks_are_refused(model, batch, decoder):
    with pytest.raises(ValueError, match="decode with AlongRanks"):
        decoder(model, batch, imitate(batch.layout), generator())
    assert decoder(model, batch, NextActionQuery(1)(batch.layout), generator()).values.shape == batch.values.shape


def test_the_nucleus_is_the_smallest_set_that_reaches_top_p():
    probabilities = torch.tensor([[0.1, 0.5, 0.15, 0.25]], dtype=torch.float64)
    assert nucleus(probabilities, 0.7).tolist() == [[0, 0.5, 0, 0.25]]
    assert nucleus(probabilities, 0.5).tolist() == [[0, 0.5, 0, 0]]
    assert nucleus(probabilities, 0.01).tolist() == [[0, 0.5, 0, 0]]
    assert nucleus(probabilities, 1.0).tolist() == probabilities.tolist()


def test_temperature_and_top_p_shape_what_is_drawn():
    logits = torch.tensor([2.0, 1.0, 0.0, -torch.inf]).expand(50_000, -1)
    chosen, probability = choose(logits, 2.0, 1.0, generator())
    share = torch.bincount(chosen, minlength=4) / len(chosen)
    torch.testing.assert_close(share, (logits[0] / 2).softmax(dim=0), atol=0.01, rtol=0)
    torch.testing.assert_close(probability, logits[0].softmax(dim=0)[chosen])
    assert set(choose(logits, 1.0, 0.8, generator())[0].tolist()) == {0, 1}
    assert set(choose(logits, 0.0, 1.0, generator())[0].tolist()) == {0}


@pytest.mark.parametrize(
    "decoder",
    [
        SinglePass(-1.0),
        SinglePass(1.0, 0.0),
        SinglePass(1.0, 1.5),
        ByConfidence(0),
        GroupByGroup("unit", "sideways"),
        GroupByGroup("unit", [1, 1]),
        GroupByGroup("unit", [2]),
        GroupByGroup("unit", [99]),
    ],
)
def test_impossible_settings_are_said(model, batch, decoder):
    with pytest.raises(ValueError, match="found|twice|missing"):
        decoder(model, batch, InfillQuery(1, 2)(batch.layout), generator())
