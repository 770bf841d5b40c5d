"""Parts that also show what comes later: the frames of the episode, at their own time."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from gymnasium import spaces

from anyorder.config import ElementModelConfig
from anyorder.elements.far_frames import far_frames
from anyorder.elements.fields import EncodedFieldData
from anyorder.elements.fitting import fit_spec
from anyorder.elements.layout import Kind
from anyorder.masking.order import Role
from anyorder.masking.strategies import GoalConditioned, InverseDynamics
from anyorder.models.element.element_transformer import ElementTransformer
from anyorder.types import FieldTrajectory


def episode(seed, num_actions=30):
    """Observations that say what time it is."""
    time, ends = np.arange(num_actions + 1.0), np.arange(num_actions) == num_actions - 1
    actions = {"action": np.random.default_rng(seed).integers(0, 3, num_actions)}
    return FieldTrajectory("Made-v0", seed, {"observation": time[:, None]}, actions, np.zeros(num_actions), ends, ends & False)


@pytest.fixture(scope="module")
def data():
    episodes = [episode(seed) for seed in range(40)]
    spec = fit_spec(spaces.Box(0, 100, (1,)), spaces.Discrete(3), episodes)
    return EncodedFieldData(episodes, spec, 2, far_frames(2, seed=0))


def test_every_frame_stands_at_its_own_time(data):
    times, distances = data.spec.fields[0].values, []
    for number in range(len(data)):
        layout = data.batch([number]).layout
        observed = layout.of_kind(Kind.OBSERVATION)
        steps = layout.step[observed]
        told = layout.numbers[observed] * times.deviation + times.mean
        assert torch.allclose(told - told[0], steps.float(), atol=1e-3)
        assert steps[:2].tolist() == [0, 1] and (steps.diff() > 0).all() and len(steps) <= 4
        assert int(layout.of_kind(Kind.ACTION).sum()) == len(steps) - 1
        distances += (steps[2:] - 1).tolist()
    assert len(data) == 40 * 30 and min(distances) == 1 and max(distances) > 25
    assert 0.4 < np.mean(np.array(distances) <= 4) < 0.6, "of up to 29 distances"


def test_dynamics_see_no_observation_beyond_the_next(data):
    """An action before a gap is asked like a next action: what lies after the gap has a higher rank."""
    longest = max(range(len(data)), key=data.lengths.__getitem__)
    layout = data.batch([longest]).layout
    order = InverseDynamics()(layout, torch.Generator())
    for action in (order.targets & layout.of_kind(Kind.ACTION)).nonzero()[:, 1].tolist():
        shown = layout.of_kind(Kind.OBSERVATION) & (order.ranks <= order.ranks[0, action])
        assert int(layout.step[shown].max()) <= int(layout.step[0, action]) + 1


def test_a_model_reads_the_distance_of_a_goal(data):
    torch.manual_seed(0)
    model = ElementTransformer(ElementModelConfig(width=16, num_layers=1, num_heads=2, max_frames=2), data.spec).eval()
    batch = data.batch([max(range(len(data)), key=data.lengths.__getitem__)])
    order = GoalConditioned()(batch.layout, torch.Generator())
    assert (order.roles[batch.layout.of_kind(Kind.OBSERVATION)] == Role.CONTEXT).all()
    later = torch.where(batch.layout.step == batch.layout.step.max(), batch.layout.step + 50, batch.layout.step)
    with torch.no_grad():
        near, far = (model(batch.values, layout, order) for layout in (batch.layout, replace(batch.layout, step=later)))
    assert not torch.allclose(near, far)


def test_without_far_frames_nothing_changes(data):
    episodes = [episode(seed) for seed in range(3)]
    plain, same = (EncodedFieldData(episodes, data.spec, 4, *cut) for cut in ((), (far_frames(0, seed=1),)))
    one, other = (part.batch(range(len(part))) for part in (plain, same))
    assert torch.equal(one.values, other.values) and torch.equal(one.layout.step, other.layout.step)
