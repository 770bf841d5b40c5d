"""Strategies made of strategies: who draws for whom, and what becomes of the order."""

from dataclasses import replace

import pytest
import torch

from anyorder.elements.batch import EncodedTrajectories
from anyorder.elements.grid import Attribute, GridVocabulary
from anyorder.elements.layout import Kind
from anyorder.errors import AnyOrderError
from anyorder.masking.order import Role
from anyorder.masking.schedules import Rate
from anyorder.masking.strategies import (
    AtOnce,
    BackwardDynamics,
    ByMission,
    Cell,
    ForwardDynamics,
    GoalConditioned,
    InverseDynamics,
    Mixture,
    NextAction,
    NextObservation,
    NextReturn,
    NextStep,
    NothingToAsk,
    Only,
    Past,
    Permutation,
    Unit,
    Window,
    WithoutMission,
    answerable,
)


def fixed(rate):
    return Rate(rate, rate)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("weights", [[1, 3], [0.2, 0.6], [0, 1], [1, 0]])
def test_a_mixture_gives_each_strategy_its_share_of_the_trajectories(draws, assert_share, weights):
    layout, order = draws(Mixture([NextAction(), Cell(fixed(0.5))], weights), 3, 4000)
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


@pytest.fixture
def missions(make_trajectory):
    """The layout of trajectories of two actions with these missions."""

    def make(*texts):
        trajectories = [make_trajectory(2, view=(1, 1), mission=text) for text in texts]
        return EncodedTrajectories(trajectories, GridVocabulary.of(trajectories)).batch(range(len(texts))).layout

    return make


def test_the_first_pattern_found_in_the_mission_decides(missions, tell):
    layout = missions("go to the red ball", "open the door", "pick up the ball", "go to the door")
    strategy = ByMission({"^go to": NextAction(), "(red|blue)? ball$": NextObservation()}, InverseDynamics())
    order = strategy(layout, seeded())
    alone = [NextAction(), InverseDynamics(), NextObservation(), NextAction()]
    for row, expected in enumerate(alone):
        assert str(tell(order, layout, row)) == str(tell(expected(layout, seeded()), layout, row))


def test_each_mission_draws_at_random_for_itself(missions, assert_share):
    layout = missions("a", "b").rows(torch.tensor([0, 1] * 1000))
    order = ByMission({"a": Unit(fixed(1.0))}, Past())(layout, seeded())
    last = order.targets[:, (layout.kind[0] == Kind.ACTION) & (layout.step[0] == 1)][:, 0]
    assert last[0::2].all()
    assert_share(int(last[1::2].sum()), 1000, 0.5)


def test_a_pattern_that_is_none_is_refused():
    with pytest.raises(ValueError, match=r"must be a regular expression; found '\(red'"):
        ByMission({"(red": NextAction()}, NextAction())


@pytest.mark.parametrize("rate", [0.0, 0.3, 1.0])
def test_missions_are_dropped_at_the_rate_and_nothing_else_changes(draws, assert_share, rate):
    layout, order = draws(WithoutMission(NextStep(), fixed(rate)), 2, 3000)
    mission = layout.of_kind(Kind.MISSION)
    dropped = (order.roles[mission] == Role.DROPPED).view(3000, -1)
    assert torch.equal(dropped.any(dim=1), dropped.all(dim=1)), "a mission is dropped whole"
    assert_share(int(dropped[:, 0].sum()), 3000, rate)
    plain = NextStep()(layout, seeded())
    assert torch.equal(order.roles[~mission], plain.roles[~mission]) and torch.equal(order.ranks, plain.ranks)


def test_targets_outside_of_the_restriction_are_shown_at_their_rank(told):
    assert str(told(Only(NextStep(), kinds=[Kind.ACTION]), 2)) == "mC0 o0C1 r0D a0T3 o1C4 r1D a1T6 o2C7"
    assert str(told(Only(NextStep(), steps=(1, 1)), 2)) == "mC0 o0C1 r0D a0C3 o1T4 r1D a1T6 o2C7"
    both = Only(NextStep(), kinds=[Kind.OBSERVATION], steps=(1, 2))
    assert str(told(both, 2)) == "mC0 o0C1 r0D a0C3 o1T4 r1D a1C6 o2T7"
    assert str(told(Only(NextStep()), 2)) == str(told(NextStep(), 2))


def test_attributes_restrict_too(tiny):
    layout = tiny([3, 1])
    order = Only(NextStep(), attributes=["color", "direction"])(layout, seeded())
    wanted = (layout.attribute == Attribute.COLOR) | (layout.attribute == Attribute.DIRECTION)
    assert torch.equal(order.targets, wanted & layout.present)


def test_a_draw_with_nothing_left_is_made_again(draws, assert_share):
    """Two actions at rate 0.5: given that one is hidden, either alone and both are equally likely."""
    layout, order = draws(Only(Unit(fixed(0.5)), kinds=[Kind.ACTION]), 2, 5000)
    hidden = order.targets[layout.of_kind(Kind.ACTION)].view(5000, 2)
    assert torch.equal(order.targets, order.targets & layout.of_kind(Kind.ACTION))
    for pattern in ([True, False], [False, True], [True, True]):
        assert_share(int((hidden == torch.tensor(pattern)).all(dim=1).sum()), 5000, 1 / 3)


def test_a_restriction_that_leaves_nothing_is_refused(tiny):
    with pytest.raises(ValueError, match="widen the restriction"):
        Only(NextStep(), steps=(5, 9))(tiny([6, 2]), seeded())
    with pytest.raises(AnyOrderError, match="nothing hidden"):
        Only(NextAction(), kinds=[Kind.OBSERVATION])(tiny([2]), seeded())


TRANSITIONS = {
    ForwardDynamics(): ["mC0 o0C1 r0D a0C3 o1T4 r1D a1D o2D", "mC0 o0D r0D a0D o1C1 r1D a1C3 o2T4"],
    BackwardDynamics(): ["mC0 o0T2 r0D a0C1 o1C0 r1D a1D o2D", "mC0 o0D r0D a0D o1T2 r1D a1C1 o2C0"],
    GoalConditioned(): ["mD o0C1 r0D a0T3 o1C0 r1D a1D o2D", "mD o0D r0D a0D o1C1 r1D a1T3 o2C0"],
    NextReturn(): ["mC0 o0C1 r0T2 a0C3 o1C4 r1D a1D o2D", "mC0 o0D r0D a0D o1C1 r1T2 a1C3 o2C4"],
}


@pytest.mark.parametrize("strategy", TRANSITIONS, ids=str)
def test_a_window_of_two_steps_is_one_transition_each_equally_often(draws, tell, assert_share, strategy):
    layout, order = draws(Window(strategy, 2), 2, 600)
    found = [str(tell(order, layout, row)) for row in range(600)]
    assert set(found) == set(TRANSITIONS[strategy])
    assert_share(found.count(TRANSITIONS[strategy][0]), 600, 0.5)


def test_every_start_of_a_window_is_equally_likely(draws, tell, assert_share):
    """Six observations have four windows of three; all that is inside is asked for, nothing outside exists."""
    layout, order = draws(Window(NextStep(), 3), 5, 2000)
    found = [" ".join(tell(order, layout, row).targets()) for row in range(2000)]
    windows = [f"o{t} a{t} o{t + 1} a{t + 1} o{t + 2}" for t in range(4)]
    assert set(found) == set(windows)
    for names in windows:
        assert_share(found.count(names), 2000, 1 / 4)
    episode = (layout.kind == Kind.OBSERVATION) | (layout.kind == Kind.ACTION)
    assert (order.roles[episode & ~order.targets] == Role.DROPPED).all()


@pytest.mark.parametrize("strategy", [NextStep(), Past(), Permutation(), Cell(fixed(0.4)), NextReturn()], ids=str)
def test_a_window_is_drawn_as_a_trajectory_of_its_own(draws, assert_share, strategy):
    """Whatever the start, elements of the window have the roles and mean ranks of a whole trajectory of its length."""
    layout, order = draws(Window(strategy, 2), 4, 6000)
    whole, alone = draws(strategy, 1, 3000, seed=1)
    observed = (order.roles != Role.DROPPED) & layout.of_kind(Kind.OBSERVATION)
    start = torch.where(observed, layout.step, 9).amin(dim=1)
    episode = whole.step[0] >= 0
    for first in range(4):
        rows, inside = start == first, (layout.step[0] >= first) & (layout.step[0] <= first + 1)
        inside &= ~((layout.step[0] == first + 1) & (layout.kind[0] != Kind.OBSERVATION))
        inside &= layout.present[0]
        expected = episode & whole.present[0]
        assert int(inside.sum()) == int(expected.sum())
        targets = order.targets[rows][:, inside].double().mean(dim=0)
        reference = alone.targets[:, expected].double().mean(dim=0)
        assert (targets - reference).abs().max() < 5 * (0.25 / 3000 + 0.25 / int(rows.sum())) ** 0.5
        ranks, others = (o.double() for o in (order.ranks[rows][:, inside], alone.ranks[:, expected]))
        spread = (ranks.var(dim=0) / len(ranks) + others.var(dim=0) / len(others)) ** 0.5
        assert ((ranks.mean(dim=0) - others.mean(dim=0)).abs() <= 5 * spread).all()


def test_a_trajectory_shorter_than_the_window_is_taken_whole(tiny, tell):
    layout = tiny([1, 5, 3])
    for seed in range(10):
        order = Window(NextStep(), 4)(layout, seeded(seed))
        assert str(tell(order, layout, 0)) == "mC0 o0T1 r0D a0T3 o1T4"
        assert tell(order, layout, 2).targets() == ["o0", "a0", "o1", "a1", "o2", "a2", "o3"]
        assert len(tell(order, layout, 1).targets()) == 7


def test_one_observation_can_be_a_window(draws, tell):
    layout, order = draws(Window(Unit(fixed(0.5)), 1), 2, 50)
    assert {" ".join(tell(order, layout, row).targets()) for row in range(50)} == {"o0", "o1", "o2"}
    with pytest.raises(ValueError, match="no element"):
        Window(NextAction(), 1)(layout, seeded())
    with pytest.raises(ValueError, match="must be at least 1 step long; found 0"):
        Window(NextAction(), 0)


@pytest.mark.parametrize("strategy", [NextStep(), GoalConditioned(), Permutation(), Unit(fixed(0.5))], ids=str)
def test_at_once_nothing_but_the_ranks_changes(tiny, strategy):
    layout = tiny([4, 2])
    order, ranked = AtOnce(strategy)(layout, seeded()), strategy(layout, seeded())
    assert torch.equal(order.roles, ranked.roles) and not order.ranks.any()
    assert order.ranks.dtype == torch.int32


def without_later_observations(make_batch):
    """A batch of three trajectories; the second one has one action and a first observation only."""
    layout = make_batch([3, 1, 2], view=(1, 1)).layout
    layout.kind[1][(layout.kind[1] == Kind.OBSERVATION) & (layout.step[1] > 0)] = Kind.PADDING
    return layout


@pytest.mark.parametrize("strategy", [ForwardDynamics(), GoalConditioned(), Window(ForwardDynamics(), 2)], ids=str)
def test_who_can_be_asked_is_known(make_batch, strategy):
    layout = without_later_observations(make_batch)
    assert answerable(strategy, layout).tolist() == [True, False, True]
    for whole in (strategy, Mixture([strategy], [1.0]), ByMission({}, strategy), AtOnce(strategy)):
        with pytest.raises(NothingToAsk) as found:
            whole(layout, seeded())
        assert found.value.without.tolist() == [False, True, False]


def test_a_mixture_asks_each_trajectory_what_it_can_answer(make_batch):
    layout = without_later_observations(make_batch)
    mixture = Mixture([ForwardDynamics(), NextAction(), NextObservation()], [8.0, 1.0, 0.0])
    whole = layout.rows(torch.tensor([0, 2]))
    asked_actions = 0
    for seed in range(300):
        order = mixture(layout, seeded(seed))
        assert layout.kind[1][order.targets[1]].unique().tolist() == [Kind.ACTION]
        asked_actions += int((layout.kind[0][order.targets[0]] == Kind.ACTION).any())
        assert mixture(whole, seeded(seed)).targets.any(dim=1).all()
    assert 10 < asked_actions < 70, "the others draw by the weights, 1 of 9"
    with pytest.raises(NothingToAsk):
        Mixture([ForwardDynamics(), NextAction()], [1.0, 0.0])(layout, seeded(0))


def test_a_window_is_drawn_among_those_that_its_strategy_can_ask_about(make_batch):
    layout = make_batch([6, 6], view=(1, 1)).layout
    actions = layout.kind == Kind.ACTION
    layout = replace(layout, exempt=actions & (layout.step != 3))
    starts = set()
    for seed in range(100):
        order = Window(NextAction(), 3)(layout, seeded(seed))
        assert layout.step[order.targets].unique().tolist() == [3]
        seen = (order.roles != Role.DROPPED) & (layout.kind == Kind.OBSERVATION)
        starts |= {int(layout.step[row][seen[row]].min()) for row in range(2)}
    assert starts == {2, 3}
