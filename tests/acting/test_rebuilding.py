"""What is fill_in comes from what is known, up to now."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from anyorder.acting.policy import History, ModelPolicy
from anyorder.acting.rebuilding import RebuildingPolicy, fill_in
from anyorder.elements.batch import EncodedTrajectories
from anyorder.envs.minigrid import View
from anyorder.inference.decoding import ByConfidence, most_probable
from anyorder.masking.order import reconstruct


@pytest.fixture(scope="module")
def model(make_model, vocabulary):
    return make_model((7, 7), vocabulary)


@pytest.fixture(scope="module")
def longest(trajectories):
    return max(trajectories, key=len)


class Holes:
    """What is unknown of a trajectory: some cells everywhere, one whole frame, one more direction, some actions."""

    def __init__(self, num_frames):
        self.cells = np.random.default_rng(0).random((num_frames, 7, 7)) < 0.3
        self.cells[2] = True
        self.directions, self.actions = {1, 2}, {0, 3}


def play(vocabulary, trajectory, num_frames, holes=None):
    history = History(vocabulary, trajectory.mission)
    for step in range(num_frames):
        view = View(trajectory.observations[step], int(trajectory.directions[step]), trajectory.mission)
        history.observe(view, *((holes.cells[step], step in holes.directions) if holes else ()))
        if step + 1 < num_frames:
            history.act(int(trajectory.actions[step]), bool(holes) and step in holes.actions)
    return history


def corrupt(trajectory, holes, other):
    """The same trajectory with other values wherever it is unknown."""
    observations, directions = trajectory.observations.copy(), trajectory.directions.copy()
    actions = trajectory.actions.copy()
    cells = holes.cells[: len(observations)]
    observations[cells] = (observations[cells] + other) % np.array([11, 6, 4])
    directions[list(holes.directions)] = (directions[list(holes.directions)] + other) % 4
    actions[list(holes.actions)] = (actions[list(holes.actions)] + other) % 7
    return replace(trajectory, observations=observations, directions=directions, actions=actions)


def test_known_values_stay_and_unknown_ones_are_the_models(model, longest, vocabulary):
    num_frames = len(longest) + 1
    holes = Holes(num_frames)
    history = play(vocabulary, longest, num_frames, holes)
    (whole,) = fill_in(model, [history])
    unknown = history.unknown_elements()
    assert unknown[:, :-3:3].sum() == holes.cells.sum() and unknown[:, -3:].sum() == 4
    assert not whole.unknown_elements().any() and history.unknown_elements().any(), "the history given stays as it is"
    assert torch.equal(whole.encoded().frames[~unknown], history.encoded().frames[~unknown])
    batch = EncodedTrajectories([longest], vocabulary).batch([0])
    hidden = torch.zeros_like(batch.layout.present)
    batch.layout.grid.frames(hidden)[0] = unknown
    order = reconstruct(batch.layout, hidden)
    expected = most_probable(model, batch, order)[order.targets]
    assert whole.encoded().frames[unknown].tolist() == expected.tolist()


@pytest.mark.parametrize("decoder", [None, ByConfidence(3)])
def test_what_lies_under_the_unknown_changes_nothing(model, longest, vocabulary, decoder):
    holes = Holes(len(longest) + 1)
    policy = RebuildingPolicy(model) if decoder is None else RebuildingPolicy(model, decoder=decoder)
    logits = [
        policy.logits([play(vocabulary, corrupt(longest, holes, other), num_frames, holes) for num_frames in (1, 4, 5)])
        for other in (0, 1)
    ]
    assert torch.equal(*logits)


def test_the_future_is_not_there(model, longest, vocabulary):
    """A fill_in prefix depends on the prefix alone, whatever else is fill_in in the same pass."""
    holes = Holes(len(longest) + 1)
    prefix = play(vocabulary, longest, 4, holes)
    for num_frames in (5, len(longest) + 1):
        together = fill_in(model, [play(vocabulary, longest, num_frames, holes), prefix])[1]
        assert torch.equal(together.encoded().frames, fill_in(model, [prefix])[0].encoded().frames)
    acted = play(vocabulary, longest, 4, holes)
    acted.act(5)  # an action that is still open when the prefix is fill_in
    assert torch.equal(
        fill_in(model, [acted])[0].encoded().frames[:, :-1], fill_in(model, [prefix])[0].encoded().frames[:, :-1]
    )


def test_where_everything_is_known_it_is_the_policy(model, trajectories, vocabulary):
    histories = [play(vocabulary, trajectory, 3) for trajectory in trajectories[:3]]
    assert fill_in(model, histories) == histories
    assert torch.equal(RebuildingPolicy(model).logits(histories), ModelPolicy(model).logits(histories))


def test_it_acts_on_what_it_rebuilt(model, longest, vocabulary):
    history = play(vocabulary, longest, 5, Holes(6))
    expected = ModelPolicy(model).logits(fill_in(model, [history]))
    assert torch.equal(RebuildingPolicy(model).logits([history]), expected)
    assert not torch.equal(ModelPolicy(model).logits([history]), expected)
