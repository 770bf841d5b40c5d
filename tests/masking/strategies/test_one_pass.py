"""Strategies that ask for every step in one pass: roles and ranks by hand, and who sees what by the law of ranks."""

import pytest

from anyorder.masking.strategies import (
    AtOnce,
    BackwardDynamics,
    ForwardDynamics,
    GoalConditioned,
    InverseDynamics,
    KnownReturns,
    NextAction,
    NextObservation,
    NextReturn,
    NextStep,
    ReturnConditioned,
    Waypoint,
    Window,
)

BY_HAND = {
    NextAction(): "mC0 o0C1 r0D a0T3 o1C4 r1D a1T6 o2C7",
    NextObservation(): "mC0 o0T1 r0D a0C3 o1T4 r1D a1C6 o2T7",
    NextStep(): "mC0 o0T1 r0D a0T3 o1T4 r1D a1T6 o2T7",
    ForwardDynamics(): "mC0 o0C1 r0D a0C3 o1T4 r1D a1C6 o2T7",
    InverseDynamics(): "mC0 o0C0 r0D a0T3 o1C2 r1D a1T5 o2C4",
    BackwardDynamics(): "mC0 o0T4 r0D a0C3 o1T2 r1D a1C1 o2C0",
    GoalConditioned(): "mD o0C1 r0D a0T3 o1C4 r1D a1T6 o2C0",
    GoalConditioned(mission=True): "mC0 o0C1 r0D a0T3 o1C4 r1D a1T6 o2C0",
    GoalConditioned(history=False): "mD o0C1 r0D a0T3 o1D r1D a1T6 o2C0",
    Waypoint(9, history=False): "mD o0C1 r0D a0T3 o1C0 r1D a1T6 o2C0",
    ReturnConditioned(): "mC0 o0C1 r0C2 a0T3 o1C4 r1C5 a1T6 o2C7",
    ReturnConditioned(KnownReturns.EPISODE): "mC0 o0C1 r0C0 a0T3 o1C4 r1C0 a1T6 o2C7",
    ReturnConditioned(KnownReturns.FIRST): "mC0 o0C1 r0C0 a0T3 o1C4 r1D a1T6 o2C7",
    NextReturn(): "mC0 o0C1 r0T2 a0C3 o1C4 r1T5 a1C6 o2C7",
    AtOnce(NextAction()): "mC0 o0C0 r0D a0T0 o1C0 r1D a1T0 o2C0",
    AtOnce(GoalConditioned(history=False)): "mD o0C0 r0D a0T0 o1D r1D a1T0 o2C0",
    Window(ForwardDynamics(), 3): "mC0 o0C1 r0D a0C3 o1T4 r1D a1C6 o2T7",
    Window(NextReturn(), 9): "mC0 o0C1 r0T2 a0C3 o1C4 r1T5 a1C6 o2C7",
}


@pytest.mark.parametrize("strategy", BY_HAND, ids=str)
def test_two_actions_by_hand(told, strategy):
    assert str(told(strategy, 2)) == BY_HAND[strategy]


SEEN = [
    (NextAction(), "a2", "m o0 a0 o1 a1 o2"),
    (NextObservation(), "o0", "m"),
    (NextObservation(), "o2", "m o0 a0 o1 a1"),
    (NextStep(), "o2", "m o0 a0 o1 a1"),
    (NextStep(), "a2", "m o0 a0 o1 a1 o2"),
    (ForwardDynamics(), "o1", "m o0 a0"),
    (ForwardDynamics(), "o3", "m o0 a0 o1 a1 o2 a2"),
    (InverseDynamics(), "a0", "m o0 o1"),
    (InverseDynamics(), "a2", "m o0 a0 o1 a1 o2 o3"),
    (BackwardDynamics(), "o4", "m o4"),
    (BackwardDynamics(), "o3", "m a3 o4"),
    (BackwardDynamics(), "o1", "m a1 o2 a2 o3 a3 o4"),
    (GoalConditioned(), "a0", "o0 o4"),
    (GoalConditioned(), "a2", "o0 a0 o1 a1 o2 o4"),
    (GoalConditioned(mission=True), "a1", "m o0 a0 o1 o4"),
    (GoalConditioned(history=False), "a2", "o0 a0 a1 o4"),
    (Waypoint(9, history=False), "a1", "o0 a0 o1 o2 o3 o4"),
    (ReturnConditioned(), "a1", "m o0 r0 a0 o1 r1"),
    (ReturnConditioned(KnownReturns.EPISODE), "a1", "m o0 r0 a0 o1 r1 r2 r3"),
    (ReturnConditioned(KnownReturns.FIRST), "a2", "m o0 r0 a0 o1 a1 o2"),
    (NextReturn(), "r1", "m o0 r0 a0 o1"),
    (AtOnce(GoalConditioned(history=False)), "a0", "o0 o4"),
    (AtOnce(GoalConditioned(history=False)), "a3", "o0 o4"),
]


@pytest.mark.parametrize(("strategy", "name", "seen"), SEEN, ids=str)
def test_who_sees_what_of_four_actions(told, strategy, name, seen):
    assert " ".join(told(strategy, 4).sees(name)) == seen


@pytest.mark.parametrize("strategy", [BackwardDynamics(), GoalConditioned(), GoalConditioned(history=False)], ids=str)
def test_each_trajectory_ends_at_its_own_last_step(tiny, tell, told, strategy):
    layout = tiny([3, 1, 2])
    order = strategy(layout, None)
    for row, num_actions in enumerate([3, 1, 2]):
        assert str(tell(order, layout, row)) == str(told(strategy, num_actions))
