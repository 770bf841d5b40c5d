"""Waypoints and values: what is random about them (the rest is told by hand with the other one-pass strategies)."""

from collections import Counter
from itertools import combinations

import pytest
import torch

from anyorder.masking.strategies import Value, Waypoint


def test_waypoints_are_distinct_later_observations_each_set_equally_often(draws, tell, assert_share):
    layout, order = draws(Waypoint(2), 4, 3000)
    found = Counter()
    for row in range(3000):
        told = tell(order, layout, row)
        assert told.targets() == ["a0", "a1", "a2", "a3"]
        known = [step for step in range(1, 5) if told.units[f"o{step}"][1] == 0]
        found[tuple(known)] += 1
        # Action 0 sees the start and the waypoints, and nothing else.
        assert told.sees("a0") == [f"o{step}" for step in [0, *known]]
    assert set(found) == set(combinations(range(1, 5), 2))
    for count in found.values():
        assert_share(count, 3000, 1 / 6)


def test_a_short_trajectory_has_all_its_observations_as_waypoints(tiny, tell):
    layout = tiny([1, 6])
    for seed in range(10):
        order = Waypoint(3, mission=True)(layout, torch.Generator().manual_seed(seed))
        assert str(tell(order, layout, 0)) == "mC0 o0C1 r0D a0T3 o1C0"
        long = tell(order, layout, 1)
        assert sum(long.units[f"o{step}"][1] == 0 for step in range(1, 7)) == 3


def test_later_waypoints_stay_visible_along_the_way(told):
    """With as many waypoints as observations every action sees all of them, but only the actions before it."""
    assert told(Waypoint(9), 3).sees("a1") == ["o0", "a0", "o1", "o2", "o3"]


def test_without_history_the_start_and_the_waypoints_are_all_there_is(tiny, tell):
    layout = tiny([3, 6])
    for seed in range(20):
        order = Waypoint(2, history=False)(layout, torch.Generator().manual_seed(seed))
        with_history = Waypoint(2)(layout, torch.Generator().manual_seed(seed))
        for row, num_actions in enumerate([3, 6]):
            told, beside = tell(order, layout, row), tell(with_history, layout, row)
            known = [step for step in range(1, num_actions + 1) if beside.units[f"o{step}"][1] == 0]
            assert len(known) == 2
            assert told.sees("a2") == sorted([*(f"o{step}" for step in [0, *known]), "a0", "a1"], key=in_time)


def in_time(name):
    """Observation t comes before action t."""
    return int(name[1:]), "oa".index(name[0])


def test_a_way_needs_a_waypoint():
    with pytest.raises(ValueError, match="num_waypoints must be at least 1; found 0"):
        Waypoint(0)


def test_one_return_is_asked_for_each_step_equally_often_and_sees_no_other(draws, tell, assert_share):
    layout, order = draws(Value(), 3, 3000)
    found = Counter()
    for row in range(3000):
        told = tell(order, layout, row)
        (name,) = told.targets()
        found[name] += 1
        past = {"r0": "m o0", "r1": "m o0 a0 o1", "r2": "m o0 a0 o1 a1 o2"}
        assert " ".join(told.sees(name)) == past[name]
    assert set(found) == {"r0", "r1", "r2"}
    for count in found.values():
        assert_share(count, 3000, 1 / 3)
