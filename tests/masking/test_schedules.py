"""Rates and their course over training, by hand."""

import pytest
import torch

from anyorder.masking.schedules import AntitheticRate, Rate, schedule_from


def only(rate):
    """The one value of a rate that is not random."""
    assert rate.low == rate.high and not rate.choices
    return rate.low


@pytest.mark.parametrize(
    ("spec", "values"),
    [
        (0.3, [0.3, 0.3, 0.3, 0.3, 0.3]),
        (1, [1, 1, 1, 1, 1]),
        ({"linear": [0.2, 0.6]}, [0.2, 0.3, 0.4, 0.5, 0.6]),
        ({"linear": [0.6, 0.2]}, [0.6, 0.5, 0.4, 0.3, 0.2]),
        # Half a cosine at a quarter of the way has done (1 - sqrt(1/2)) / 2 = 0.146447 of it.
        ({"cosine": [0, 1]}, [0, 0.146447, 0.5, 0.853553, 1]),
        ({"cosine": [0.5, 0.1]}, [0.5, 0.441421, 0.3, 0.158579, 0.1]),
        ({"step": [0.1, 0.9]}, [0.1, 0.1, 0.9, 0.9, 0.9]),
    ],
)
def test_values_at_the_quarters_of_training(spec, values):
    schedule = schedule_from(spec)
    assert [only(schedule(quarter / 4)) for quarter in range(5)] == pytest.approx(values, abs=1e-6)


def test_three_steps_are_thirds_of_training():
    schedule = schedule_from({"step": [0.15, 0.3, 0.5]})
    assert [only(schedule(update / 9)) for update in range(10)] == [0.15] * 3 + [0.3] * 3 + [0.5] * 4


def test_a_list_gives_each_trajectory_one_of_its_rates_with_equal_chance():
    drawn = schedule_from([0.15, 0.3, 0.5])(0.7).sample(9000, torch.Generator().manual_seed(0))
    counts = [int(torch.isclose(drawn, torch.tensor(rate)).sum()) for rate in (0.15, 0.3, 0.5)]
    assert sum(counts) == 9000
    assert counts == pytest.approx([3000] * 3, abs=5 * (9000 * 2 / 9) ** 0.5)


def test_uniform_gives_each_trajectory_a_rate_between_its_bounds():
    drawn = schedule_from({"uniform": [0.2, 0.6]})(0.0).sample(9000, torch.Generator().manual_seed(0))
    assert 0.2 <= drawn.min() < 0.21 and 0.59 < drawn.max() <= 0.6
    in_quarters = torch.histc(drawn, 4, 0.2, 0.6).tolist()
    assert in_quarters == pytest.approx([2250] * 4, abs=5 * (9000 * 3 / 16) ** 0.5)


def test_antithetic_rates_of_a_batch_are_equal_steps_apart_from_a_random_start():
    """Four rates between 0.2 and 0.6 are 0.1 apart, once around from the top to the bottom."""
    generator = torch.Generator().manual_seed(0)
    first, second = (schedule_from({"antithetic": [0.2, 0.6]})(0.0).sample(4, generator) for _ in range(2))
    for drawn in (first, second):
        steps = (drawn.roll(-1) - drawn).remainder(0.4)
        assert steps.tolist() == pytest.approx([0.1] * 4, abs=1e-6)
        assert ((drawn >= 0.2) & (drawn < 0.6)).all()
    assert first[0] != second[0]


def test_each_antithetic_rate_alone_is_uniform():
    generator, rate = torch.Generator().manual_seed(0), AntitheticRate(0.2, 0.6)
    drawn = torch.stack([rate.sample(3, generator) for _ in range(4000)])
    for place in range(3):
        in_quarters = torch.histc(drawn[:, place], 4, 0.2, 0.6).tolist()
        assert in_quarters == pytest.approx([1000] * 4, abs=5 * (4000 * 3 / 16) ** 0.5)
    assert drawn.mean(dim=1).std() < 0.6 * Rate(0.2, 0.6).sample(12_000, generator).view(-1, 3).mean(dim=1).std()


def test_antithetic_rates_hold_for_any_number_of_trajectories():
    generator = torch.Generator().manual_seed(0)
    assert AntitheticRate(0.0, 1.0).sample(0, generator).shape == (0,)
    assert AntitheticRate(0.3, 0.3).sample(5, generator).tolist() == pytest.approx([0.3] * 5)
    with pytest.raises(ValueError, match="no choices"):
        AntitheticRate(choices=(0.1, 0.2))


WRONG = [
    -0.1,
    1.5,
    float("nan"),
    True,
    "0.3",
    None,
    [],
    [0.1, 2],
    ["0.1"],
    [[0.1]],
    {},
    {"linear": 0.3},
    {"linear": [0.1]},
    {"linear": [0.1, 0.2, 0.3]},
    {"linear": [0.1, 7]},
    {"cosine": ["a", "b"]},
    {"uniform": [0.1, None]},
    {"step": []},
    {"antithetic": [0.1]},
    {"step": "0.1"},
    {"ramp": [0.1, 0.2]},
    {"linear": [0.1, 0.2], "step": [0.1]},
    {"uniform": {"low": 0.1, "high": 0.2}},
]


@pytest.mark.parametrize("spec", WRONG, ids=str)
def test_a_wrong_rate_is_refused_with_the_forms_allowed(spec):
    with pytest.raises(ValueError, match=r"\{linear: \[start, end\]\}") as error:
        schedule_from(spec)
    assert repr(spec) in str(error.value)


def test_a_uniform_rate_has_its_lower_bound_first():
    with pytest.raises(ValueError, match="low <= high"):
        schedule_from({"uniform": [0.5, 0.2]})
    with pytest.raises(ValueError, match="low <= high"):
        schedule_from({"antithetic": [0.5, 0.2]})
    with pytest.raises(ValueError, match="low <= high"):
        Rate(0.5, 0.2)
