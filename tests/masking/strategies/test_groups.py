"""What is hidden together, how often, and independently of what: strategies that rebuild from past and future."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from anyorder.elements.grid import Attribute
from anyorder.elements.layout import Kind
from anyorder.errors import AnyOrderError
from anyorder.masking.order import Role
from anyorder.masking.schedules import AntitheticRate, Rate
from anyorder.masking.strategies import (
    ActionsOnly,
    AttributeWise,
    Cell,
    MissionWords,
    Mixed,
    NothingToAsk,
    ObservationsOnly,
    Token,
    Unit,
)

GROUPS = {
    "cell": (Cell, "cell"),
    "token": (Token, None),
    "attribute": (AttributeWise, None),
    "unit": (Unit, "unit"),
    "mixed": (Mixed, "unit"),
    "actions_only": (ActionsOnly, "unit"),
    "observations_only": (ObservationsOnly, "unit"),
}
"""Name -> class, and the field of the layout that numbers what is hidden together (None: every element alone)."""
ELIGIBLE = {"actions_only": [Kind.ACTION], "observations_only": [Kind.OBSERVATION]}
every = pytest.mark.parametrize("name", GROUPS)


def fixed(rate):
    return Rate(rate, rate)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def copies(layout, number):
    """The first trajectory of the batch, so many times."""
    return layout.rows(torch.zeros(number, dtype=torch.int64))


def eligible(name, layout):
    """bool ``[B, E]``; True for what may be hidden."""
    kinds = ELIGIBLE.get(name, [Kind.OBSERVATION, Kind.ACTION])
    return torch.isin(layout.kind, torch.tensor([int(kind) for kind in kinds]))


def group_numbers(name, layout):
    field = GROUPS[name][1]
    return getattr(layout, field) if field else torch.arange(layout.shape[1]).expand(layout.shape)


def one_of_each_group(name, layout):
    """int64 ``[G]``: the first element of every group that may be hidden, in the first trajectory."""
    may_be_hidden, group = eligible(name, layout)[0], group_numbers(name, layout)[0]
    return torch.tensor([int((group == number).nonzero()[0]) for number in group[may_be_hidden].unique()])


@every
@settings(max_examples=20, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=5),
    rate=st.sampled_from([fixed(0.02), fixed(0.3), fixed(1.0), Rate(choices=(0.0, 0.5)), AntitheticRate(0.0, 1.0)]),
    seed=st.integers(0, 2**30),
)
def test_groups_are_hidden_whole_and_nothing_else_is(make_batch, name, lengths, rate, seed):
    layout = make_batch(lengths, view=(2, 1)).layout
    order = GROUPS[name][0](rate)(layout, seeded(seed))
    may_be_hidden = eligible(name, layout)
    assert order.targets.any(dim=1).all() and not order.ranks.any()
    assert not (order.targets & ~may_be_hidden).any()
    shown = layout.present & ~layout.of_kind(Kind.RETURN) & ~order.targets
    assert (order.roles[shown] == Role.CONTEXT).all()
    for row in range(len(lengths)):
        numbers = group_numbers(name, layout)[row]
        for number in numbers[may_be_hidden[row]].unique():
            assert order.roles[row][may_be_hidden[row] & (numbers == number)].unique().numel() == 1
    if rate == fixed(1.0):
        assert torch.equal(order.targets, may_be_hidden)


@every
@pytest.mark.parametrize("rate", [0.15, 0.5, 0.9])
def test_the_hidden_share_is_the_rate(make_batch, assert_share, name, rate):
    layout = copies(make_batch([12], view=(2, 2)).layout, 300)
    elements = one_of_each_group(name, layout)
    targets = GROUPS[name][0](fixed(rate))(layout, seeded()).targets
    for half in elements.chunk(2):
        assert_share(int(targets[:, half].sum()), 300 * len(half), rate / (1 - (1 - rate) ** len(elements)))


@every
def test_groups_of_a_trajectory_are_hidden_independently(make_batch, name):
    layout = copies(make_batch([12], view=(2, 1)).layout, 2000)
    hidden = GROUPS[name][0](fixed(0.5))(layout, seeded()).targets[:, one_of_each_group(name, layout)].double()
    num_groups = {
        "cell": 13 * 3 + 12,
        "token": 13 * 7 + 12,
        "attribute": 13 * 7 + 12,
        "unit": 13 + 12,
        "mixed": 13 + 12,
        "actions_only": 12,
        "observations_only": 13,
    }
    assert hidden.shape[1] == num_groups[name]
    correlation = torch.corrcoef(hidden.T) - torch.eye(hidden.shape[1])
    assert correlation.abs().max() < 5.5 / 2000**0.5


@every
def test_trajectories_of_a_batch_are_drawn_independently(make_batch, name):
    """Any two trajectories agree on half of what may be hidden, no more often than coins would."""
    layout = copies(make_batch([20], view=(1, 1)).layout, 400)
    hidden = GROUPS[name][0](fixed(0.5))(layout, seeded()).targets[:, one_of_each_group(name, layout)].double()
    agreement = (hidden @ hidden.T + (1 - hidden) @ (1 - hidden).T) / hidden.shape[1]
    pairs = agreement[~torch.eye(400, dtype=bool)]
    assert float((pairs == 1.0).double().mean()) < 0.001, "trajectories do not share a draw"
    assert float(pairs.mean()) == pytest.approx(0.5, abs=0.01)


@every
@pytest.mark.parametrize("rate", [Rate(0.0, 1.0), AntitheticRate(0.0, 1.0)], ids=["uniform", "antithetic"])
def test_each_trajectory_has_its_own_random_rate(make_batch, name, rate):
    """The shares of 400 trajectories spread like a rate uniform on (0, 1), variance 1 / 12, and a binomial beside it,
    mean variance 1 / 6 over the number of groups."""
    layout = copies(make_batch([40], view=(1, 1)).layout, 400)
    groups = one_of_each_group(name, layout)
    if name == "attribute":  # each attribute has a rate of its own
        groups = groups[layout.attribute[0, groups] == Attribute.ACTION]
    shares = GROUPS[name][0](rate)(layout, seeded()).targets[:, groups].double().mean(dim=1)
    assert float(shares.mean()) == pytest.approx(0.5, abs=0.08)
    assert float(shares.std()) == pytest.approx((1 / 12 + 1 / 6 / len(groups)) ** 0.5, abs=0.03)


def test_each_attribute_has_its_own_rate(make_batch, assert_share):
    layout = copies(make_batch([12], view=(2, 2)).layout, 300)
    rates = {Attribute.OBJECT: 0.9, Attribute.COLOR: 0.1, Attribute.DIRECTION: 1.0, Attribute.ACTION: 0.0}
    strategy = AttributeWise(fixed(0.5), {attribute.name.lower(): fixed(rate) for attribute, rate in rates.items()})
    targets = strategy(layout, seeded()).targets
    for attribute, rate in {**rates, Attribute.STATE: 0.5}.items():
        chosen = targets[(layout.attribute == attribute) & layout.present]
        assert_share(int(chosen.sum()), len(chosen), rate)


def test_a_rate_for_a_field_that_is_not_there_is_refused(make_batch):
    layout = make_batch([3], view=(2, 2)).layout
    with pytest.raises(ValueError, match="must be one of object, color, .*, or their group; found 'joint'"):
        AttributeWise(fixed(0.5), {"joint": fixed(0.1)})(layout, seeded())


def hidden_actions(draws, rate, num_actions, number):
    """bool ``[number, num_actions]`` of `ActionsOnly`."""
    layout, order = draws(ActionsOnly(rate), num_actions, number)
    return order.targets[layout.of_kind(Kind.ACTION)].view(number, num_actions)


def test_low_rates_hold_given_that_something_is_hidden(draws, assert_share):
    """Two actions at rate p = 0.1: only the first, only the second or both are hidden with chances 0.09, 0.09 and 0.01
    out of 0.19."""
    hidden = hidden_actions(draws, fixed(0.1), 2, 20_000)
    for pattern, chance in (([True, False], 0.09), ([False, True], 0.09), ([True, True], 0.01)):
        assert_share(int((hidden == torch.tensor(pattern)).all(dim=1).sum()), 20_000, chance / 0.19)


def test_random_rates_hold_given_that_something_is_hidden(draws, assert_share):
    """Two actions, a rate of 0 or 0.5: given that something is hidden the rate was 0.5, and each is with 0.5 / 0.75."""
    hidden = hidden_actions(draws, Rate(choices=(0.0, 0.5)), 2, 20_000)
    assert_share(int(hidden[:, 0].sum()), 20_000, 2 / 3)


def test_a_very_low_rate_hides_one_action_of_three_each_equally_often(draws, assert_share):
    hidden = hidden_actions(draws, fixed(0.01), 3, 3000)
    assert hidden.any(dim=1).all()
    for action in range(3):
        assert_share(int(hidden[:, action].sum()), 3000, 0.01 / (1 - 0.99**3))


def test_a_rate_of_zero_is_refused_rather_than_forced(tiny):
    with pytest.raises(AnyOrderError, match="nothing hidden"):
        ActionsOnly(fixed(0.0))(tiny([2]), seeded())


@pytest.mark.parametrize("rate", [0.15, 0.5, 1.0])
def test_words_of_missions_are_hidden_one_by_one_and_nothing_else_is(make_batch, assert_share, rate):
    layout = copies(make_batch([3], view=(2, 1), mission="go to the red ball").layout, 2000)
    order = MissionWords(fixed(rate))(layout, seeded())
    mission = layout.of_kind(Kind.MISSION)
    assert order.targets.any(dim=1).all() and not (order.targets & ~mission).any() and not order.ranks.any()
    assert (order.roles[layout.present & ~layout.of_kind(Kind.RETURN) & ~order.targets] == Role.CONTEXT).all()
    for place in range(5):
        assert_share(int(order.targets[:, place].sum()), 2000, rate / (1 - (1 - rate) ** 5))


def test_without_a_mission_there_is_nothing_to_ask(make_batch):
    layout = make_batch([3, 2], view=(2, 1)).layout
    layout.kind[1][layout.kind[1] == Kind.MISSION] = Kind.PADDING
    with pytest.raises(NothingToAsk) as refusal:
        MissionWords(fixed(0.5))(layout, seeded())
    assert refusal.value.without.tolist() == [False, True]
