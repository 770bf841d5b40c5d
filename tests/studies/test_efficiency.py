"""Demonstrations needed: known thresholds are recovered, intervals are honest, and nothing is made up."""

import json
import math

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import betabinom

from anyorder.studies import efficiency
from anyorder.studies.efficiency import Measurement, demonstrations_needed

SIZES = (500, 1000, 2000, 4000, 8000)
CROSSING = 3000


def true_failure(size, exponent, floor, crossing=CROSSING):
    """Of a curve that fails in 1% of episodes at the crossing."""
    reachable = 0.99 / (1 - floor)
    climb = exponent * math.log(size / crossing) + math.log(reachable / (1 - reachable))
    return floor + (1 - floor) / (1 + math.exp(climb))


def simulated(generator, exponent, floor, spread, num_seeds=3, episodes=400):
    """Runs of that curve, each with a failure rate of its own."""
    runs = []
    for size in SIZES:
        mean, pseudo_count = true_failure(size, exponent, floor), 1 / spread - 1
        rates = generator.beta(mean * pseudo_count, (1 - mean) * pseudo_count, size=num_seeds)
        runs += [Measurement(size, int(generator.binomial(episodes, 1 - rate)), episodes) for rate in rates]
    return runs


def expected(episodes, sizes=SIZES):
    """Runs that succeed exactly as often as such a curve says."""
    return [Measurement(size, round(episodes * (1 - true_failure(size, 1.5, 0.001))), episodes) for size in sizes]


def test_a_known_threshold_is_recovered_as_often_as_promised():
    generator = np.random.default_rng(0)
    recipes = [(1.5, 0.001, 0.002), (2.5, 0.003, 0.005), (1.0, 0.0005, 0.001)]
    found = [demonstrations_needed(simulated(generator, *recipes[i % 3])) for i in range(30)]
    assert sum(needed.low <= CROSSING <= needed.high for needed in found) >= 25, "95% of 30, less two deviations"
    medians = np.array([needed.median for needed in found])
    assert 0.85 < np.median(medians) / CROSSING < 1.2 and np.quantile(medians, 0.9) < 1.6 * CROSSING


def test_the_posterior_is_that_of_a_plain_sum(monkeypatch):
    """On a grid of 6 x 5 x 4 x 3 that is laid once: Bayes' rule, written as loops."""
    monkeypatch.setattr(efficiency, "GRID", {"middle": 6, "exponent": 5, "floor": 4, "spread": 3})
    monkeypatch.setattr(efficiency, "NUM_PASSES", 1)
    runs = [Measurement(100, 60, 80), Measurement(100, 75, 80), Measurement(400, 78, 80)]
    axes = [np.exp(np.linspace(*bounds, num)) for bounds, num in zip(efficiency._prior(runs).values(), (6, 5, 4, 3))]
    weight_of = {}
    for middle in axes[0]:
        for exponent in axes[1]:
            for floor in axes[2]:
                likelihood = 0
                for spread in axes[3]:
                    product = 1
                    for run in runs:
                        climb = exponent * math.log(run.num_demonstrations / middle)
                        failure = min(floor + (1 - floor) * expit(-climb), 1 - 1e-7)
                        alpha, beta = ((1 / spread - 1) * share for share in (1 - failure, failure))
                        product *= betabinom.pmf(run.successes, run.episodes, alpha, beta)
                    likelihood += product
                weight_of[middle, exponent, floor] = likelihood
    curves, weights = efficiency._posterior(runs)
    total = sum(weight_of.values())
    assert len(weights) > 10
    for *logs, weight in zip(curves.middle, curves.exponent, curves.floor, weights):
        near = min(weight_of, key=lambda point: sum(abs(math.log(a) - b) for a, b in zip(point, logs)))
        assert weight == pytest.approx(weight_of[near] / total, rel=2e-3, abs=1e-6)


def test_the_curve_rises_and_lies_within_its_band():
    needed = demonstrations_needed(expected(1000))
    medians = [point.median for point in needed.curve]
    assert medians == sorted(medians)
    assert all(point.low < point.median < point.high for point in needed.curve)
    first, last = needed.curve[0].num_demonstrations, needed.curve[-1].num_demonstrations
    assert (first, last) == (pytest.approx(500), pytest.approx(8000))
    assert medians[0] == pytest.approx(1 - true_failure(500, 1.5, 0.001), abs=0.02)


def test_a_higher_rate_needs_more():
    runs = expected(1000)
    half, most, nearly_all = (demonstrations_needed(runs, rate).median for rate in (0.9, 0.95, 0.99))
    assert half < most < nearly_all


def test_more_episodes_make_it_narrower():
    ratios = [found.high / found.low for found in map(demonstrations_needed, map(expected, (200, 2000)))]
    assert ratios[1] < 0.8 * ratios[0]


def test_runs_that_differ_make_it_wider():
    alike = [run for run in expected(500) for _ in range(2)]
    apart = [Measurement(r.num_demonstrations, min(500, r.successes + d), 500) for r in expected(500) for d in (-25, 25)]
    widths = [np.log(found.curve[0].high / found.curve[0].low) for found in map(demonstrations_needed, (alike, apart))]
    assert widths[1] > 1.2 * widths[0]


def test_success_everywhere_says_that_fewer_are_enough():
    needed = demonstrations_needed([Measurement(size, 1000, 1000) for size in (1000, 4000) for _ in range(5)])
    assert not needed.beyond and needed.high < 4000 and str(needed).startswith("fewer than 1,000")


def test_failure_everywhere_says_that_more_are_needed():
    needed = demonstrations_needed([Measurement(size, 0, 500) for size in (1000, 4000)])
    assert needed.beyond and str(needed) == "more than 4,000"
    stored = json.loads(json.dumps(needed.to_json(), allow_nan=False))
    assert stored["high"] is None and stored["beyond"] and stored["text"] == "more than 4,000"


def test_a_curve_that_ends_too_low_never_gets_there():
    levelled_off = [Measurement(size, 4850, 5000) for size in (1000, 4000, 16000) for _ in range(3)]
    assert demonstrations_needed(levelled_off).beyond
    assert str(demonstrations_needed(levelled_off, rate=0.9)).startswith("fewer than 1,000")


def test_the_same_runs_give_the_same_figures():
    assert demonstrations_needed(expected(300)) == demonstrations_needed(expected(300)[::-1])


def test_one_size_is_refused():
    with pytest.raises(ValueError, match="two or more numbers of demonstrations .* found 1; measure more"):
        demonstrations_needed([Measurement(500, 400, 500), Measurement(500, 410, 500)])
    with pytest.raises(ValueError, match="found 0"):
        demonstrations_needed([])


@pytest.mark.parametrize("numbers", [(0, 1, 2), (5, 3, 2), (5, -1, 2), (5, 0, 0)])
def test_impossible_counts_are_refused(numbers):
    with pytest.raises(ValueError, match="a measurement must have"):
        Measurement(*numbers)


@pytest.mark.parametrize("rate", [0.0, 1.0, 99])
def test_impossible_rates_are_refused(rate):
    with pytest.raises(ValueError, match="between 0 and 1"):
        demonstrations_needed(expected(100), rate)
