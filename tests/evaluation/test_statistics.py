"""Wilson's interval against numbers worked out by hand, and what a proportion says of itself."""

import math

import pytest

from anyorder.evaluation.statistics import Proportion


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
