"""A policy that remembers answers as one that thinks everything over again."""

import numpy as np
import pytest
import torch

from anyorder.envs.minigrid import View
from anyorder.policy import Policy
from anyorder.stepwise import StepwisePolicy


def play(history, trajectory, num_frames, holes=None):
    """Put frames ``len(history)`` to ``num_frames`` of a trajectory into a history."""
    for step in range(len(history), num_frames):
        if step:
            history.act(int(trajectory.actions[step - 1]))
        view = View(trajectory.observations[step], int(trajectory.directions[step]), trajectory.mission)
        history.observe(view, None if holes is None else holes[step])
    return history


@pytest.fixture(scope="module")
def model(make_model, vocabulary):
    return make_model((7, 7), vocabulary)


@pytest.mark.parametrize("rate", [0.0, 0.4])
def test_logits_are_those_of_the_whole_history_at_every_step(model, trajectories, rate):
    holes = np.random.default_rng(0).random((100, 7, 7)) < rate
    whole, stepwise = Policy(model), StepwisePolicy(model)
    longest = max(trajectories, key=len)
    full, remembered = (policy.start(longest.mission) for policy in (whole, stepwise))
    for num_frames in range(1, len(longest) + 1):
        expected = whole.logits([play(full, longest, num_frames, holes)])
        found = stepwise.logits([play(remembered, longest, num_frames, holes)])
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_histories_of_different_lengths_and_missions_go_together(model, trajectories):
    whole, stepwise = Policy(model), StepwisePolicy(model)
    missions = ["go to the red ball", "ball", ""]
    histories = []
    for policy in (whole, stepwise):
        starts = [policy.start(mission) for mission in missions]
        histories.append([play(h, t, n) for h, t, n in zip(starts, trajectories, (1, 4, 3))])
    torch.testing.assert_close(stepwise.logits(histories[1]), whole.logits(histories[0]), atol=1e-5, rtol=1e-5)


def test_asking_twice_changes_nothing(model, trajectories):
    stepwise = StepwisePolicy(model)
    history = play(stepwise.start(trajectories[0].mission), trajectories[0], 3)
    assert torch.equal(stepwise.logits([history]), stepwise.logits([history]))


def test_past_the_longest_distance_in_time(model, trajectories):
    whole, stepwise = Policy(model), StepwisePolicy(model)
    full, remembered = whole.start("go to the red ball"), stepwise.start("go to the red ball")
    for history in (full, remembered):
        for step in range(80):
            frame = trajectories[0].observations[step % len(trajectories[0])]
            history.observe(View(frame, step % 4, "go to the red ball"))
            history.act(step % 7)
        history.observe(View(frame, 0, "go to the red ball"))
    torch.testing.assert_close(stepwise.logits([remembered]), whole.logits([full]), atol=1e-5, rtol=1e-5)
