"""Each strategy draws from exactly the distribution it promises."""

import time

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from anyorder.data.layout import Attribute, Kind
from anyorder.masking.order import Role
from anyorder.masking.schedules import Rate
from anyorder.masking.strategies import ActionsOnly, AttributeWise, Cell, Mixture, NextAction, Unit

RANDOM = {"cell": Cell, "attribute": AttributeWise, "unit": Unit, "actions_only": ActionsOnly}


def fixed(rate):
    return Rate(rate, rate)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def copies(layout, number):
    """The first trajectory of the batch, so many times."""
    return layout.rows(torch.zeros(number, dtype=torch.int64))


def assert_share(hits, trials, probability):
    """Within five standard deviations of a binomial."""
    assert hits / trials == pytest.approx(probability, abs=5 * (probability * (1 - probability) / trials) ** 0.5)


def groups_of(name, layout):
    return {"cell": layout.cell, "attribute": torch.arange(layout.shape[1]).expand(layout.shape)}.get(name, layout.unit)


@pytest.mark.parametrize("name", [*RANDOM, "mixture"])
@settings(max_examples=25, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=5),
    rate=st.sampled_from([fixed(0.02), fixed(0.3), fixed(1.0), Rate(0.0, 1.0), Rate(choices=(0.0, 0.5))]),
    seed=st.integers(0, 2**30),
)
def test_every_order_is_well_formed(make_batch, name, lengths, rate, seed):
    layout = make_batch(lengths, view=(2, 1)).layout
    alone = {each: make(rate) for each, make in RANDOM.items()}
    strategy = alone.get(name) or Mixture([*alone.values(), NextAction()], [1, 1, 1, 1, 1])
    order = strategy(layout, seeded(seed))
    assert order.roles.dtype == torch.uint8 and order.ranks.dtype == torch.int32
    assert order.targets.any(dim=1).all(), "every trajectory is asked for something"
    assert (order.roles[~layout.present] == Role.DROPPED).all()
    assert (order.roles[layout.of_kind(Kind.MISSION)] == Role.CONTEXT).all()
    if name != "mixture":
        assert not order.ranks.any()
        for row in range(len(lengths)):
            for group in groups_of(name, layout)[row][layout.present[row]].unique():
                members = (groups_of(name, layout)[row] == group) & layout.present[row]
                assert order.roles[row, members].unique().numel() == 1, "a group is hidden whole"
    if name == "actions_only":
        assert (layout.kind[order.targets] == Kind.ACTION).all()
    if rate == fixed(1.0) and name in ("cell", "attribute", "unit"):
        assert torch.equal(order.targets, layout.of_kind(Kind.OBSERVATION) | layout.of_kind(Kind.ACTION))


def one_of_each_group(name, layout):
    """int64 ``[G]``: the first element of every group that may be hidden, in the first trajectory."""
    kind, group = layout.kind[0], groups_of(name, layout)[0]
    may_be_hidden = kind == Kind.ACTION if name == "actions_only" else kind >= Kind.OBSERVATION
    return torch.tensor([int((group == number).nonzero()[0]) for number in group[may_be_hidden].unique()])


@pytest.mark.parametrize("name", RANDOM)
@pytest.mark.parametrize("rate", [0.15, 0.5, 0.9])
def test_the_hidden_share_is_the_rate(make_batch, name, rate):
    layout = copies(make_batch([12], view=(2, 2)).layout, 300)
    elements = one_of_each_group(name, layout)
    targets = RANDOM[name](fixed(rate))(layout, seeded()).targets
    for half in elements.chunk(2):
        assert_share(int(targets[:, half].sum()), 300 * len(half), rate / (1 - (1 - rate) ** len(elements)))


@pytest.mark.parametrize("name", RANDOM)
def test_groups_of_a_trajectory_are_hidden_independently(make_batch, name):
    layout = copies(make_batch([12], view=(2, 1)).layout, 2000)
    hidden = RANDOM[name](fixed(0.5))(layout, seeded()).targets[:, one_of_each_group(name, layout)].double()
    correlation = torch.corrcoef(hidden.T) - torch.eye(hidden.shape[1])
    assert hidden.shape[1] == {"cell": 13 * 3 + 12, "attribute": 13 * 7 + 12, "unit": 13 + 12, "actions_only": 12}[name]
    assert correlation.abs().max() < 5.5 / 2000**0.5


def test_each_attribute_has_its_own_rate(make_batch):
    layout = copies(make_batch([12], view=(2, 2)).layout, 300)
    rates = {Attribute.OBJECT: 0.9, Attribute.COLOR: 0.1, Attribute.DIRECTION: 1.0, Attribute.ACTION: 0.0}
    strategy = AttributeWise(fixed(0.5), {attribute: fixed(rate) for attribute, rate in rates.items()})
    targets = strategy(layout, seeded()).targets
    for attribute, rate in {**rates, Attribute.STATE: 0.5}.items():
        chosen = targets[(layout.attribute == attribute) & layout.present]
        assert_share(int(chosen.sum()), len(chosen), rate)


def test_low_rates_hold_given_that_something_is_hidden(make_batch):
    """Two actions at rate p = 0.1: only the first, only the second or both are hidden with chances 0.09, 0.09 and 0.01
    out of 0.19."""
    layout = copies(make_batch([2], view=(1, 1)).layout, 20_000)
    hidden = ActionsOnly(fixed(0.1))(layout, seeded()).targets[layout.of_kind(Kind.ACTION)].view(-1, 2)
    for pattern, chance in (([True, False], 0.09), ([False, True], 0.09), ([True, True], 0.01)):
        assert_share(int((hidden == torch.tensor(pattern)).all(dim=1).sum()), 20_000, chance / 0.19)


def test_random_rates_hold_given_that_something_is_hidden(make_batch):
    """Two actions, a rate of 0 or 0.5: given that something is hidden the rate was 0.5, and each is with 0.5 / 0.75."""
    layout = copies(make_batch([2], view=(1, 1)).layout, 20_000)
    hidden = ActionsOnly(Rate(choices=(0.0, 0.5)))(layout, seeded()).targets[layout.of_kind(Kind.ACTION)]
    assert_share(int(hidden.view(-1, 2)[:, 0].sum()), 20_000, 2 / 3)


def test_a_very_low_rate_hides_one_action_of_three_each_equally_often(make_batch):
    layout = copies(make_batch([3], view=(1, 1)).layout, 3000)
    hidden = ActionsOnly(fixed(0.01))(layout, seeded()).targets[layout.of_kind(Kind.ACTION)].view(-1, 3)
    assert hidden.any(dim=1).all()
    for action in range(3):
        assert_share(int(hidden[:, action].sum()), 3000, 0.01 / (1 - 0.99**3))


def test_a_rate_of_zero_is_refused_rather_than_forced(make_batch):
    with pytest.raises(ValueError, match="nothing hidden"):
        ActionsOnly(fixed(0.0))(make_batch([2], view=(1, 1)).layout, seeded())


@pytest.mark.parametrize("name", RANDOM)
def test_trajectories_of_a_batch_are_drawn_independently(make_batch, name):
    layout = copies(make_batch([20], view=(1, 1)).layout, 400)
    hidden = RANDOM[name](fixed(0.5))(layout, seeded()).targets[:, 4:].float()
    hidden = hidden[:, hidden.var(dim=0) > 0]
    agreement = (hidden[:, None] == hidden[None]).float().mean(dim=2)
    pairs = agreement[~torch.eye(400, dtype=bool)]
    assert float((pairs == 1.0).float().mean()) < 0.001, "trajectories do not share a draw"
    assert float(pairs.mean()) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("name", RANDOM)
def test_each_trajectory_has_its_own_random_rate(make_batch, name):
    """The shares of 400 trajectories with 40 actions spread like a rate uniform on (0, 1): standard deviation 0.289."""
    layout = copies(make_batch([40], view=(1, 1)).layout, 400)
    asked = layout.of_kind(Kind.ACTION)
    shares = RANDOM[name](Rate(0.0, 1.0))(layout, seeded()).targets[asked].view(400, -1).float().mean(dim=1)
    assert float(shares.mean()) == pytest.approx(0.5, abs=0.08)
    assert float(shares.std()) == pytest.approx((1 / 12 + 1 / 6 / 40) ** 0.5, abs=0.03)


def test_next_action_asks_for_every_action_in_its_turn(make_batch):
    """Roles and ranks are those of imitation, which are checked by hand with orders."""
    layout = make_batch([3, 1]).layout
    order = NextAction()(layout, seeded())
    assert torch.equal(order.targets, layout.of_kind(Kind.ACTION))
    assert order.ranks[order.targets].tolist() == [0, 1, 2, 0]


@pytest.mark.parametrize("weights", [[1, 3], [0.2, 0.6], [0, 1], [1, 0]])
def test_a_mixture_gives_each_strategy_its_share_of_the_trajectories(make_batch, weights):
    layout = copies(make_batch([3], view=(1, 1)).layout, 4000)
    order = Mixture([NextAction(), Cell(fixed(0.5))], weights)(layout, seeded())
    ranked = order.ranks.any(dim=1)
    assert_share(int(ranked.sum()), 4000, weights[0] / sum(weights))
    actions = layout.of_kind(Kind.ACTION)
    assert torch.equal(order.targets[ranked], actions[ranked])
    observations = order.targets & layout.of_kind(Kind.OBSERVATION)
    assert int(observations[~ranked].any(dim=1).sum()) >= 0.99 * int((~ranked).sum())


@pytest.mark.parametrize(("strategies", "weights"), [(1, []), (0, []), (2, [1]), (2, [1, -1]), (2, [0, 0])])
def test_a_mixture_needs_a_weight_for_each_strategy(strategies, weights):
    with pytest.raises(ValueError, match="weights"):
        Mixture([NextAction()] * strategies, weights)


@pytest.mark.parametrize("name", [*RANDOM, "mixture"])
def test_the_generator_alone_decides_the_draw(make_batch, name):
    layout = make_batch([8, 5, 3]).layout
    strategy = RANDOM[name](Rate(0.2, 0.6)) if name in RANDOM else Mixture([NextAction(), Cell(fixed(0.5))], [1, 1])
    generator = seeded(7)
    first, second, again = strategy(layout, generator), strategy(layout, generator), strategy(layout, seeded(7))
    assert torch.equal(first.roles, again.roles) and torch.equal(first.ranks, again.ranks)
    assert not torch.equal(first.roles, second.roles), "every call draws anew"


def test_a_trajectory_without_actions_cannot_be_asked_for_them(make_batch):
    layout = make_batch([2, 1]).layout
    layout.kind[1][layout.kind[1] == Kind.ACTION] = Kind.PADDING
    for strategy in (NextAction(), ActionsOnly(fixed(0.5))):
        with pytest.raises(ValueError, match="no element"):
            strategy(layout, seeded())


@pytest.mark.parametrize("name", RANDOM)
def test_drawing_takes_no_loop_over_trajectories(make_batch, name):
    """32 times the trajectories would take a loop 32 times as long."""
    layout = make_batch([10], view=(1, 1)).layout

    def seconds(number):
        rows, best = copies(layout, number), float("inf")
        for seed in range(15):
            start = time.perf_counter()
            RANDOM[name](fixed(0.5))(rows, seeded(seed))
            best = min(best, time.perf_counter() - start)
        return best

    assert seconds(512) < 16 * seconds(16)
