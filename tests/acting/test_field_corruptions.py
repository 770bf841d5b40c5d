"""What is lost, and how far sensors are off, in any environment."""

import numpy as np
import torch
from gymnasium import spaces

from anyorder.acting.field_corruptions import LostFields, SensorNoise
from anyorder.elements.fields import frame_columns
from anyorder.elements.fitting import fit_spec
from anyorder.elements.layout import Kind
from anyorder.types import FieldTrajectory

SPACE = spaces.Dict(
    arm=spaces.Box(-np.inf, np.inf, (3,)),
    goal=spaces.Box(-1, 1, (1,)),
    lamp=spaces.Discrete(4),
    gauge=spaces.Box(0, 100_000, (1,), np.int32),
)


def spec():
    rng = np.random.default_rng(0)

    def episode(seed):
        observations = {
            "arm": (rng.normal(size=(40, 3)) * [1, 10, 100]).astype(np.float32),
            "goal": np.full((40, 1), rng.random(), np.float32),
            "lamp": rng.integers(0, 4, 40),
            "gauge": rng.integers(0, 90_000, (40, 1)).astype(np.int32),
        }
        ends = np.arange(39) == 38
        return FieldTrajectory(
            "Made-v0", seed, observations, {"action": rng.integers(0, 2, 39)}, rng.random(39), ends, ~ends & False
        )

    return fit_spec(SPACE, spaces.Discrete(2), [episode(seed) for seed in range(20)])


RECORD = {
    "arm": np.zeros(3, np.float32),
    "goal": np.ones(1, np.float32),
    "lamp": np.array(2),
    "gauge": np.array([50_000], np.int32),
}


def test_only_observations_are_lost_as_often_as_asked():
    fields, rng = spec(), np.random.default_rng(0)
    kinds = frame_columns(fields).kind
    lost = torch.stack([LostFields(fields, 0.3)(RECORD, rng)[1] for _ in range(2000)]).double().mean(dim=0)
    assert (lost[kinds != Kind.OBSERVATION] == 0).all()
    assert ((lost[kinds == Kind.OBSERVATION] - 0.3).abs() < 0.05).all() and (kinds == Kind.OBSERVATION).sum() == 5


def test_what_less_loses_more_loses_too():
    fields = spec()
    little, much = (LostFields(fields, rate)(RECORD, np.random.default_rng(5))[1] for rate in (0.2, 0.6))
    assert ((much | ~little).all() and much.sum() > little.sum()) or not little.any()


def test_noise_is_in_deviations_of_each_number_and_leaves_the_rest():
    fields, rng = spec(), np.random.default_rng(0)
    seen = [SensorNoise(fields, 0.5)(RECORD, rng) for _ in range(3000)]
    assert all(hidden is None for _, hidden in seen)
    arm = np.stack([record["arm"] for record, _ in seen])
    gauge = np.stack([record["gauge"] for record, _ in seen])
    deviations = {one.name: one.scale for one in fields.fields}
    expected = [0.5 * deviations[f"arm/{i}"] for i in range(3)]
    assert np.allclose(arm.std(axis=0), expected, rtol=0.08)
    assert np.isclose(gauge.std(), 0.5 * deviations["gauge"], rtol=0.08)
    assert arm.dtype == np.float32 and gauge.dtype == np.int32
    assert all((record["goal"] == 1).all() and record["lamp"] == 2 for record, _ in seen), "a goal is part of the mission"
    assert (RECORD["arm"] == 0).all()
