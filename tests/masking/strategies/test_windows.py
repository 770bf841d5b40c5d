"""Cuts: by hand for each place, and how often each place is drawn."""

import pytest
import torch

from anyorder.elements.layout import Kind
from anyorder.masking.schedules import Rate
from anyorder.masking.strategies import Future, Past, RandomAutoregressive

PAST = {"o0 a0": 1, "o0 a0 o1 a1": 2, "o0 a0 o1 a1 o2 a2": 3}
FUTURE = {"a2 o3": 3, "a1 o2 a2 o3": 2, "a0 o1 a1 o2 a2 o3": 1}


@pytest.mark.parametrize(("strategy", "hidden"), [(Past(), PAST), (Future(), FUTURE)], ids=["past", "future"])
def test_every_cut_is_equally_likely_and_all_on_one_side_is_hidden(draws, tell, assert_share, strategy, hidden):
    layout, order = draws(strategy, 3, 3000)
    assert not order.ranks.any()
    found = [" ".join(tell(order, layout, row).targets()) for row in range(3000)]
    assert set(found) == set(hidden)
    for names in hidden:
        assert_share(found.count(names), 3000, 1 / 3)


def test_each_trajectory_is_cut_within_its_own_length(tiny, tell):
    layout = tiny([1, 6])
    for seed in range(20):
        past, future = (s(layout, torch.Generator().manual_seed(seed)) for s in (Past(), Future()))
        assert tell(past, layout, 0).targets() == ["o0", "a0"]
        assert tell(future, layout, 0).targets() == ["a0", "o1"]


def test_the_random_autoregressive_cut(draws, tell, assert_share):
    """At a rate of 0 all that is hidden lies behind the cut: before observation t or, four times as often, action t."""
    layout, order = draws(RandomAutoregressive(Rate(0.0, 0.0)), 2, 5000)
    found = [" ".join(tell(order, layout, row).targets()) for row in range(5000)]
    chances = {"o0 a0 o1 a1 o2": 0.1, "a0 o1 a1 o2": 0.4, "o1 a1 o2": 0.1, "a1 o2": 0.4}
    assert set(found) == set(chances)
    for names, chance in chances.items():
        assert_share(found.count(names), 5000, chance)


def test_before_the_cut_units_are_hidden_at_the_rate(draws, assert_share):
    """Observation 0 of 3 actions is behind the cut with chance 0.2 / 3, else hidden with the rate."""
    layout, order = draws(RandomAutoregressive(Rate(0.3, 0.3)), 3, 5000)
    assert not order.ranks.any()
    first = order.targets[:, (layout.kind[0] == Kind.OBSERVATION) & (layout.step[0] == 0)]
    assert torch.equal(first.any(dim=1), first.all(dim=1)), "whole or not at all"
    assert_share(int(first[:, 0].sum()), 5000, 0.2 / 3 + (1 - 0.2 / 3) * 0.3)
    last = order.targets[:, (layout.kind[0] == Kind.OBSERVATION) & (layout.step[0] == 3)]
    assert last.all(), "nothing lies behind what is asked for"
