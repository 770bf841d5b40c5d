"""A policy that remembers answers as one that thinks everything over again."""

from copy import deepcopy

import numpy as np
import pytest
import torch

from anyorder.acting.policy import ModelPolicy
from anyorder.acting.stepwise import StepwisePolicy
from anyorder.envs.minigrid import View

NOTHING = np.zeros(100, bool)


def play(history, trajectory, num_frames, holes=None, lost=NOTHING, doubted=NOTHING):
    """Put frames ``len(history)`` to ``num_frames`` of a trajectory into a history; ``lost``: steps whose direction is
    unknown, ``doubted``: those whose action is."""
    for step in range(len(history), num_frames):
        if step:
            history.act(int(trajectory.actions[step - 1]), bool(doubted[step - 1]))
        view = View(trajectory.observations[step], int(trajectory.directions[step]), trajectory.mission)
        history.observe(view, None if holes is None else holes[step], bool(lost[step]))
    return history


@pytest.fixture(scope="module")
def model(make_model, vocabulary):
    return make_model((7, 7), vocabulary)


@pytest.mark.parametrize("rate", [0.0, 0.4])
def test_logits_are_those_of_the_whole_history_at_every_step(model, trajectories, rate):
    holes = np.random.default_rng(0).random((100, 7, 7)) < rate
    whole, stepwise = ModelPolicy(model), StepwisePolicy(model)
    longest = max(trajectories, key=len)
    full, remembered = (policy.start(longest.mission) for policy in (whole, stepwise))
    for num_frames in range(1, len(longest) + 1):
        expected = whole.logits([play(full, longest, num_frames, holes)])
        found = stepwise.logits([play(remembered, longest, num_frames, holes)])
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("rate", [0.3, 1.0])
def test_unknown_directions_and_actions_are_hidden_from_both(model, trajectories, rate):
    draws = np.random.default_rng(1)
    holes, lost, doubted = draws.random((100, 7, 7)) < 0.2, draws.random(100) < rate, draws.random(100) < rate
    holes[2], lost[2] = True, True  # a whole frame
    whole, stepwise = ModelPolicy(model), StepwisePolicy(model)
    longest = max(trajectories, key=len)
    full, remembered = (policy.start(longest.mission) for policy in (whole, stepwise))
    for num_frames in range(1, len(longest) + 1):
        expected = whole.logits([play(full, longest, num_frames, holes, lost, doubted)])
        found = stepwise.logits([play(remembered, longest, num_frames, holes, lost, doubted)])
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_some_doubt_their_actions_and_others_do_not(model, trajectories):
    whole, stepwise = ModelPolicy(model), StepwisePolicy(model)
    doubts = [np.arange(100) % 2 == 0, NOTHING, ~NOTHING]
    full, remembered = (
        [play(policy.start(t.mission), t, n, doubted=d) for t, n, d in zip(trajectories, (5, 4, 3), doubts)]
        for policy in (whole, stepwise)
    )
    torch.testing.assert_close(stepwise.logits(remembered), whole.logits(full), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("policy_type", [ModelPolicy, StepwisePolicy])
def test_what_lies_under_the_unknown_changes_no_logit(model, trajectories, policy_type):
    """And what lies beside it does."""
    trajectory, steps = max(trajectories, key=len), np.arange(100)
    holes = np.zeros((100, 7, 7), bool)
    holes[1, 2:5], holes[3] = True, True

    def logits(change_cells, change_rest, lost=steps == 3, doubted=steps == 2):
        policy = policy_type(model)
        history = policy.start(trajectory.mission)
        for step in range(5):
            image = np.where((holes[step] & change_cells)[..., None], 3, trajectory.observations[step]).astype(np.uint8)
            direction = int(trajectory.directions[step])
            view = View(image, (direction + (change_rest and step == 3)) % 4, "")
            history.observe(view, holes[step], bool(lost[step]))
            if step < 4:
                action = int(trajectory.actions[step])
                history.act((action + (change_rest and step == 2)) % 7, bool(doubted[step]))
        return policy.logits([history])

    reference = logits(False, False)
    assert torch.equal(logits(True, True), reference)
    for known in ({"lost": NOTHING}, {"doubted": NOTHING}):
        assert not torch.equal(logits(False, False, **known), logits(False, True, **known))


def test_histories_of_different_lengths_and_missions_go_together(model, trajectories):
    whole, stepwise = ModelPolicy(model), StepwisePolicy(model)
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


def test_episodes_that_end_begin_or_wait_do_not_disturb_the_others(model, trajectories):
    """Rows move when episodes end, and are copied where only some episodes take a step."""
    whole, stepwise, draws = ModelPolicy(model), StepwisePolicy(model), np.random.default_rng(0)
    running = {}
    for number in range(60):
        trajectory = trajectories[number % len(trajectories)]
        running[number] = [trajectory, *(policy.start(trajectory.mission) for policy in (whole, stepwise))]
        chosen = [one for one in running if draws.random() < 0.5 or one == number]
        full, remembered = [], []
        for one in chosen:
            trajectory, *both = running[one]
            for history, histories in zip(both, (full, remembered)):
                histories.append(play(history, trajectory, len(history) + 1, doubted=np.arange(100) % 3 == 1))
        torch.testing.assert_close(stepwise.logits(remembered), whole.logits(full), atol=1e-5, rtol=1e-5)
        del both, full, remembered, history, histories
        running = {one: kept for one, kept in running.items() if len(kept[1]) < len(kept[0]) and draws.random() < 0.9}
        assert len(stepwise._memories) == len(running)


def test_a_copy_goes_its_own_way(model, trajectories):
    whole, stepwise = ModelPolicy(model), StepwisePolicy(model)
    full, remembered = (play(policy.start(""), trajectories[0], 3) for policy in (whole, stepwise))
    before = stepwise.logits([remembered])
    copies = deepcopy(full), deepcopy(remembered)
    for history in copies:
        play(history, trajectories[1], 5)
    torch.testing.assert_close(stepwise.logits(copies[1:]), whole.logits(copies[:1]), atol=1e-5, rtol=1e-5)
    assert torch.equal(stepwise.logits([remembered]), before)


def test_past_the_longest_distance_in_time(model, trajectories):
    whole, stepwise = ModelPolicy(model), StepwisePolicy(model)
    full, remembered = whole.start("go to the red ball"), stepwise.start("go to the red ball")
    for history in (full, remembered):
        for step in range(80):
            frame = trajectories[0].observations[step % len(trajectories[0])]
            history.observe(View(frame, step % 4, "go to the red ball"))
            history.act(step % 7)
        history.observe(View(frame, 0, "go to the red ball"))
    torch.testing.assert_close(stepwise.logits([remembered]), whole.logits([full]), atol=1e-5, rtol=1e-5)
