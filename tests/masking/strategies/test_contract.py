"""What every strategy of the table keeps to, whatever it draws."""

import time

import pytest
import torch
from strategy_settings import RATE, SETTINGS, built

from anyorder.data.damage import Damage
from anyorder.elements.grid import Attribute
from anyorder.elements.layout import Kind
from anyorder.masking.order import Role
from anyorder.masking.schedules import AntitheticRate, Rate
from anyorder.masking.strategies import (
    STRATEGIES,
    AtOnce,
    Blocks,
    Cell,
    Cut,
    Damaged,
    GoalConditioned,
    InverseDynamics,
    KnownReturns,
    ReturnConditioned,
    Waypoint,
    Window,
    answerable,
)

CASES = {name: built(cls, SETTINGS.get(name, {}), RATE) for name, cls in STRATEGIES.items()} | {
    "goal_without_history": GoalConditioned(mission=True, history=False),
    "one_waypoint": Waypoint(1, mission=True),
    "waypoint_without_history": Waypoint(2, mission=True, history=False),
    "returns_of_the_episode": ReturnConditioned(KnownReturns.EPISODE),
    "first_return": ReturnConditioned(KnownReturns.FIRST),
    "antithetic_blocks": Blocks(3, AntitheticRate(0.0, 1.0)),
    "window_of_cells": Window(Cell(RATE), 3),
    "damaged_actions": Damaged(Cell(RATE), RATE, [Kind.OBSERVATION, Kind.ACTION]),
    "cut_inverse_dynamics": Cut(InverseDynamics()),
    "plan": AtOnce(Waypoint(1, mission=True, history=False)),
}
FIXED = [
    "next_action",
    "next_observation",
    "next_step",
    "forward_dynamics",
    "inverse_dynamics",
    "backward_dynamics",
    "goal_conditioned",
    "goal_without_history",
    "between",
    "return_conditioned",
    "returns_of_the_episode",
    "first_return",
    "next_return",
    "only",
    "by_mission",
    "at_once",
]
ABOUT_RETURNS = ["return_conditioned", "returns_of_the_episode", "first_return", "next_return", "value"]
OTHER_ROLES_OF_MISSIONS = {
    "goal_conditioned": [Role.DROPPED],
    "waypoint": [Role.DROPPED],
    "without_mission": [Role.DROPPED],
    "mission_words": [Role.TARGET],
}
every = pytest.mark.parametrize("name", CASES)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@every
@pytest.mark.parametrize("lengths", [[1], [4, 1, 6], [3, 3]], ids=str)
def test_every_order_is_well_formed(make_batch, name, lengths):
    layout = make_batch(lengths, view=(2, 1)).layout
    for seed in range(20):
        order = CASES[name](layout, seeded(seed))
        assert order.roles.dtype == torch.uint8 and order.ranks.dtype == torch.int32
        assert order.roles.shape == order.ranks.shape == layout.shape
        assert order.targets.any(dim=1).all(), "every trajectory is asked for something"
        assert (order.roles[~layout.present] == Role.DROPPED).all()
        assert (order.ranks >= 0).all()
        mission = order.roles[layout.of_kind(Kind.MISSION)].unique().tolist()
        assert set(mission) <= {Role.CONTEXT, *OTHER_ROLES_OF_MISSIONS.get(name, [])}
        assert not order.ranks[layout.of_kind(Kind.MISSION)].any()
        if name not in ABOUT_RETURNS:
            assert (order.roles[layout.of_kind(Kind.RETURN)] == Role.DROPPED).all()


@every
def test_an_observation_has_one_rank(make_batch, name):
    layout = make_batch([4, 1, 6], view=(2, 1)).layout
    ranks = CASES[name](layout, seeded()).ranks
    for row in range(3):
        for unit in layout.unit[row][layout.kind[row] == Kind.OBSERVATION].unique():
            assert ranks[row][(layout.unit[row] == unit) & layout.present[row]].unique().numel() == 1


@every
def test_the_generator_alone_decides_the_draw(make_batch, name):
    layout, generator = make_batch([8, 5, 3], view=(2, 1)).layout, seeded(7)
    first, again = CASES[name](layout, generator), CASES[name](layout, seeded(7))
    assert torch.equal(first.roles, again.roles) and torch.equal(first.ranks, again.ranks)
    others = [CASES[name](layout, generator) for _ in range(5)]
    same = all(torch.equal(first.roles, o.roles) and torch.equal(first.ranks, o.ranks) for o in others)
    assert same == (name in FIXED), "a random one draws anew at every call"


@every
def test_a_layout_is_left_as_it_was(make_batch, name):
    layout = make_batch([4, 1, 6], view=(2, 1)).layout
    names = ("kind", "attribute", "step", "cell", "unit")
    before = {each: getattr(layout, each).clone() for each in names}
    CASES[name](layout, seeded())
    assert all(torch.equal(getattr(layout, each), before[each]) for each in names)


@pytest.mark.parametrize("name", FIXED)
def test_what_is_not_random_is_the_same_beside_others(make_batch, name):
    alone, beside = make_batch([2], view=(2, 1)).layout, make_batch([2, 5], view=(2, 1)).layout
    one, two = CASES[name](alone, seeded()), CASES[name](beside, seeded())
    size = alone.shape[1]
    assert torch.equal(one.roles[0], two.roles[0, :size])
    present = alone.present[0]
    assert torch.equal(one.ranks[0][present], two.ranks[0, :size][present])


@pytest.mark.parametrize("name", [name for name in CASES if name not in FIXED])
def test_what_is_random_is_distributed_the_same_beside_others(make_batch, name):
    """A longer trajectory in the batch changes neither how often each element is asked for nor its mean rank."""
    alone = make_batch([2], view=(1, 1)).layout.rows(torch.zeros(1500, dtype=torch.int64))
    beside = make_batch([2, 5], view=(1, 1)).layout.rows(torch.tensor([0] * 1500 + [1]))
    size, present = alone.shape[1], alone.present[0]
    one, two = CASES[name](alone, seeded(1)), CASES[name](beside, seeded(2))
    shares = [order.targets[:1500, :size].double().mean(dim=0) for order in (one, two)]
    assert (shares[0] - shares[1]).abs().max() < 5 * (2 * 0.25 / 1500) ** 0.5
    ranks = [order.ranks[:1500, :size][:, present].double() for order in (one, two)]
    spread = ranks[0].std(dim=0) + ranks[1].std(dim=0)
    assert ((ranks[0].mean(dim=0) - ranks[1].mean(dim=0)).abs() <= 5 * spread / 1500**0.5).all()


@every
def test_trajectories_without_actions_work_or_are_refused(make_batch, name):
    """The second trajectory has a single observation: nothing that needs an action or an outcome."""
    layout = make_batch([2, 1], view=(1, 1)).layout
    lone = layout.step[1] >= 1
    layout.kind[1][lone | (layout.kind[1] == Kind.ACTION) | (layout.kind[1] == Kind.RETURN)] = Kind.PADDING
    works = {
        "cell",
        "token",
        "unit",
        "attribute",
        "observations_only",
        "mixed",
        "next_observation",
        "next_step",
        "permutation",
        "blocks",
        "antithetic_blocks",
        "only",
        "without_mission",
        "window",
        "window_of_cells",
        "damaged",
        "damaged_actions",
        "cut",
        "mixture",  # of strategies that work and others
        "mission_words",
    }
    if name in works:
        targets, asked = CASES[name](layout, seeded()).targets, Kind.MISSION if name == "mission_words" else Kind.OBSERVATION
        assert (layout.kind[1][targets[1]] == asked).all() and targets[1].any()
    else:
        with pytest.raises(ValueError, match="no element"):
            CASES[name](layout, seeded())


@pytest.mark.parametrize("name", ABOUT_RETURNS)
def test_trajectories_without_returns_are_refused_where_they_are_needed(make_batch, name):
    layout = make_batch([2, 1], view=(1, 1)).layout
    layout.kind[1][layout.kind[1] == Kind.RETURN] = Kind.PADDING
    with pytest.raises(ValueError, match="no element"):
        CASES[name](layout, seeded())


@every
def test_drawing_takes_no_loop_over_trajectories(make_batch, name):
    """32 times the trajectories would take a loop 32 times as long."""
    layout = make_batch([10], view=(1, 1)).layout

    def seconds(number):
        rows, best = layout.rows(torch.zeros(number, dtype=torch.int64)), float("inf")
        for seed in range(7):
            start = time.perf_counter()
            CASES[name](rows, seeded(seed))
            best = min(best, time.perf_counter() - start)
        return best

    assert seconds(512) < 20 * seconds(16)


def test_every_attribute_of_an_episode_can_be_asked_for(make_batch):
    layout = make_batch([4], view=(1, 1)).layout
    for name in ("cell", "token", "unit", "attribute", "mixed", "permutation", "next_step", "blocks"):
        strategy = built(STRATEGIES[name], SETTINGS.get(name, {}), Rate(1.0, 1.0))
        asked = set(layout.attribute[strategy(layout, seeded()).targets].tolist())
        assert asked == set(Attribute) - {Attribute.WORD, Attribute.RETURN}


@every
def test_what_is_absent_is_never_shown_asked_or_counted(damaged_batch, make_model, name):
    """Also by the model: in its predictions nothing of an absent value can be felt."""
    asked = 0
    for seed in range(12):
        damage = Damage(actions=0.5 * (seed % 3), cells=0.4, frames=0.2 * (seed % 2))
        layout = damaged_batch([6, 2, 4], damage, view=(2, 1)).layout
        able = answerable(CASES[name], layout).nonzero()[:, 0]
        if not len(able):
            continue
        layout = layout.rows(able)
        order = CASES[name](layout, seeded(seed))
        asked += 1
        assert (order.roles[~layout.present] == Role.DROPPED).all()
        assert order.targets.any(dim=1).all()
        make_model((2, 1)).check_order(layout, order)
    assert asked > 3
