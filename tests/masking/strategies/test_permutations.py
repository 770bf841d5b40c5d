"""Orders with as many ranks as units, or as blocks."""

from collections import Counter
from itertools import permutations

import pytest
import torch

from anyorder.elements.layout import Kind
from anyorder.masking.schedules import AntitheticRate, Rate
from anyorder.masking.strategies import Blocks, Permutation


def test_every_permutation_of_the_units_is_equally_likely(draws, tell, assert_share):
    layout, order = draws(Permutation(), 1, 3000)
    found = Counter()
    for row in range(3000):
        told = tell(order, layout, row)
        assert told.targets() == ["o0", "a0", "o1"]
        ranks = tuple(told.units[name][1] for name in ("o0", "a0", "o1"))
        found[ranks] += 1
        ordered = sorted(("o0", "a0", "o1"), key=lambda name: told.units[name][1])
        assert set(told.sees(ordered[1])) == {"m", ordered[0]}
    assert set(found) == set(permutations((1, 2, 3)))
    for count in found.values():
        assert_share(count, 3000, 1 / 6)


def test_each_trajectory_has_as_many_ranks_as_units(tiny, tell):
    layout = tiny([1, 4, 2])
    order = Permutation()(layout, torch.Generator().manual_seed(0))
    for row, num_actions in enumerate([1, 4, 2]):
        told = tell(order, layout, row)
        ranks = [rank for name, (_, rank) in told.units.items() if name[0] in "oa"]
        assert sorted(ranks) == list(range(1, 2 * num_actions + 2))


@pytest.mark.parametrize(("group", "number"), [("cell", 3 * 2 + 2), ("element", 3 * 4 + 2)])
def test_cells_and_elements_have_ranks_of_their_own(tiny, group, number):
    layout = tiny([2])
    order = Permutation(group)(layout, torch.Generator().manual_seed(0))
    assert order.ranks[order.targets].unique().tolist() == list(range(1, number + 1))
    assert not torch.equal(order.ranks, Permutation(group)(layout, torch.Generator().manual_seed(1)).ranks)
    groups = layout.cell if group == "cell" else torch.arange(layout.shape[1])[None]
    assert len(set(zip(groups[order.targets].tolist(), order.ranks[order.targets].tolist()))) == number


def test_an_unknown_group_is_refused():
    with pytest.raises(ValueError, match="one of element, cell, unit; found 'room'"):
        Permutation("room")


def test_blocks_are_ranked_one_after_another(tiny):
    """Five observations in blocks of two steps: ranks 1, 1, 2, 2, 3; an action has the rank of its step."""
    layout = tiny([4])
    order = Blocks(2, Rate(1.0, 1.0))(layout, torch.Generator().manual_seed(0))
    for kind, ranks in ((Kind.OBSERVATION, [1, 1, 2, 2, 3]), (Kind.ACTION, [1, 1, 2, 2])):
        for step, rank in enumerate(ranks):
            at = (layout.kind == kind) & (layout.step == step)
            assert order.targets[at].all() and (order.ranks[at] == rank).all()


def test_a_block_sees_the_blocks_before_it_but_not_its_own_targets(told):
    assert told(Blocks(2, Rate(1.0, 1.0)), 4).sees("o3") == ["m", "o0", "a0", "o1", "a1"]


def test_each_block_has_its_own_rate(draws, assert_share):
    """Two blocks whose rates are 0 or 1: given that something is hidden, one of three cases, equally often."""
    layout, order = draws(Blocks(2, Rate(choices=(0.0, 1.0))), 3, 3000)
    asked = (layout.kind == Kind.OBSERVATION) | (layout.kind == Kind.ACTION)
    cases = Counter()
    for row in range(3000):
        hidden = [order.targets[row][asked[row] & (layout.step[row] // 2 == block)] for block in (0, 1)]
        assert all(block.all() or not block.any() for block in hidden)
        cases[tuple(bool(block.any()) for block in hidden)] += 1
    assert set(cases) == {(True, False), (False, True), (True, True)}
    for count in cases.values():
        assert_share(count, 3000, 1 / 3)


def test_elements_of_a_block_are_hidden_one_by_one(draws, assert_share):
    layout, order = draws(Blocks(2, Rate(0.4, 0.4)), 3, 2000)
    asked = (layout.kind[0] == Kind.OBSERVATION) | (layout.kind[0] == Kind.ACTION)
    hidden = order.targets[:, asked].double()
    for element in range(hidden.shape[1]):
        assert_share(int(hidden[:, element].sum()), 2000, 0.4)
    correlation = torch.corrcoef(hidden.T) - torch.eye(hidden.shape[1])
    assert correlation.abs().max() < 5.5 / 2000**0.5


def test_antithetic_rates_spread_over_the_blocks_of_a_batch(draws):
    """Twenty trajectories of two blocks: how much of them is hidden in all varies less than with independent rates."""

    def spread(rate):
        drawn = [draws(Blocks(2, rate), 3, 20, seed) for seed in range(100)]
        return torch.stack([order.targets.double().sum() for _, order in drawn]).std()

    assert spread(AntitheticRate(0.0, 1.0)) < 0.6 * spread(Rate(0.0, 1.0))


def test_a_block_has_a_step():
    with pytest.raises(ValueError, match="must be at least 1 step"):
        Blocks(0, Rate(0.5, 0.5))
