"""Wilson's interval against numbers worked out by hand, and what a proportion says of itself."""

import math

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from anyorder.evaluation.statistics import (
    Estimate,
    Proportion,
    mean_over_seeds,
    mean_over_seeds_and_items,
    success_difference,
)


def wilson(successes, count, z=1.959963984540054):
    share = successes / count
    middle = share + z * z / (2 * count)
    spread = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return (middle - spread) / (1 + z * z / count), (middle + spread) / (1 + z * z / count)


@pytest.mark.parametrize(("successes", "count"), [(0, 10), (1, 1), (481, 500), (500, 500), (123_456, 1_000_000)])
def test_the_interval_is_wilsons(successes, count):
    assert Proportion(successes, count).interval == pytest.approx(wilson(successes, count), abs=1e-9)


def test_a_known_interval():
    # Newcombe (1998), table I: 81 of 263 gives 0.2553 to 0.3662.
    assert Proportion(81, 263).interval == pytest.approx((0.2553, 0.3662), abs=5e-5)


def test_no_failure_is_not_certainty():
    assert Proportion(10, 10).interval[0] < 0.75


def test_text_and_json():
    share = Proportion(481, 500)
    assert str(share) == "96.2% [94.1, 97.6]"
    low, high = share.interval
    assert share.to_json() == {"rate": 0.962, "low": low, "high": high, "successes": 481, "count": 500}


@pytest.mark.parametrize(("successes", "count"), [(0, 0), (2, 1), (-1, 3)])
def test_impossible_counts_are_refused(successes, count):
    with pytest.raises(ValueError, match="proportion"):
        Proportion(successes, count)


def generator(seed=0):
    return np.random.default_rng(seed)


def test_seeds_alone_have_students_interval():
    values = np.array([0.91, 0.94, 0.95])
    found, known = mean_over_seeds(values), ttest_1samp(values, 0).confidence_interval(0.95)
    assert (found.value, found.low, found.high) == pytest.approx((values.mean(), known.low, known.high))


def test_one_seed_alone_has_no_interval_and_decides_nothing():
    found = mean_over_seeds(np.array([0.5]))
    assert found.value == 0.5 and not found.is_bounded and found.verdict() == "not distinguishable"
    assert found.to_json() == {"value": 0.5, "low": None, "high": None}


@pytest.mark.parametrize(
    ("low", "high", "higher_is_better", "verdict"),
    [
        (0.1, 0.2, True, "better"),
        (0.1, 0.2, False, "worse"),
        (-0.2, -0.1, True, "worse"),
        (-0.2, -0.1, False, "better"),
        (-0.1, 0.2, True, "not distinguishable"),
        (0.0, 0.2, True, "not distinguishable"),
    ],
)
def test_a_difference_counts_when_its_interval_leaves_out_nothing(low, high, higher_is_better, verdict):
    assert Estimate((low + high) / 2, low, high).verdict(higher_is_better) == verdict


def test_one_seed_has_the_ordinary_bootstrap_interval_of_its_episodes():
    values = generator(1).normal(3.0, 2.0, size=(1, 400))
    found = mean_over_seeds_and_items(values, generator())
    half = 1.96 * values.std() / 20
    assert found.value == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.1 * half)


def test_seeds_and_episodes_both_widen_the_interval():
    """Values that are the sum of one part per seed and one per episode: the variance of the mean is s^2 / S + e^2 / N."""
    seed_part, episode_part = generator(1).normal(size=(5, 1)), generator(2).normal(size=(1, 200))
    found = mean_over_seeds_and_items(seed_part + episode_part, generator())
    spread = math.sqrt(seed_part.var(ddof=1) / 5 + episode_part.var() / 200)
    assert found.high - found.low == pytest.approx(2 * 1.96 * spread, rel=0.1)


def test_the_same_generator_gives_the_same_interval():
    values = generator(3).random((3, 50))
    assert mean_over_seeds_and_items(values, generator()) == mean_over_seeds_and_items(values, generator())


@pytest.mark.parametrize(
    ("won", "lost", "verdict"),
    [
        (3, 0, "not distinguishable"),
        (8, 0, "better"),
        (0, 8, "worse"),
        (8, 6, "not distinguishable"),
        (40, 15, "better"),
    ],
)
def test_success_is_compared_episode_by_episode(won, lost, verdict):
    """Of 500 episodes nearly all end the same; what counts are those that only one side won (McNemar: 3 to 0 has p
    0.25, 8 to 0 p 0.008, 8 to 6 p 0.79, 40 to 15 p 0.001)."""
    ours, theirs = np.ones((1, 500)), np.ones((1, 500))
    theirs[0, :won], ours[0, won : won + lost] = 0, 0
    found = success_difference(ours, theirs, generator())
    assert found.value == pytest.approx((won - lost) / 500) and found.verdict() == verdict


def test_pairing_sees_what_pooled_rates_hide():
    """450 against 470 of 500: the intervals of the rates overlap, but all the episodes that one side won are ours."""
    ours, theirs = np.zeros((1, 500)), np.zeros((1, 500))
    ours[0, :470], theirs[0, :450] = 1, 1
    assert Proportion(450, 500).interval[1] > Proportion(470, 500).interval[0]
    assert success_difference(ours, theirs, generator()).verdict() == "better"


def test_equal_arms_are_seldom_told_apart():
    """Of arms that differ in nothing but chance, whose seeds differ as much as their episodes do, about one in twenty
    is called better or worse; three seeds are few, so we allow twice that."""
    wrong, draws = 0, generator(4)
    for _ in range(80):
        hardness, skill = draws.normal(size=(1, 100)), 0.2 * draws.normal(size=(6, 1))
        won = draws.normal(size=(6, 100)) < 1.5 + skill - hardness
        wrong += success_difference(won[:3], won[3:], draws).verdict() != "not distinguishable"
    assert wrong <= 8
