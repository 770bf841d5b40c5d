"""What an agent remembers of its own attempts, and that it does not repeat what led nowhere."""

import numpy as np
import pytest

from anyorder.acting.policy import History, ModelPolicy
from anyorder.acting.stepwise import StepwisePolicy
from anyorder.envs.minigrid import View

LEFT, RIGHT, FORWARD = 0, 1, 2


@pytest.fixture
def views(trajectories):
    """Two observations that differ."""
    trajectory = max(trajectories, key=len)
    first, second = (View(trajectory.observations[t], int(trajectory.directions[t]), trajectory.mission) for t in (0, 1))
    assert not np.array_equal(first.image, second.image)
    return first, second


def test_tried_counts_actions_after_exactly_this_observation(vocabulary, views):
    here, there = views
    history = History(vocabulary, here.mission)
    for view, action in ((here, FORWARD), (here, FORWARD), (here, LEFT), (there, RIGHT)):
        history.observe(view)
        history.act(action)
    history.observe(here)
    assert history.tried().tolist() == [1, 0, 2, 0, 0, 0, 0]
    history.act(RIGHT)
    history.observe(there)
    assert history.tried().tolist() == [0, 1, 0, 0, 0, 0, 0]


def test_another_direction_or_another_cell_make_another_observation(vocabulary, views):
    here, _ = views
    history = History(vocabulary, here.mission)
    holes = np.zeros(here.image.shape[:2], bool)
    holes[0, 0] = True
    history.observe(here)
    history.act(FORWARD)
    history.observe(View(here.image, (here.direction + 1) % 4, here.mission))
    assert not history.tried().any()
    history.act(FORWARD)
    changed = here.image.copy()
    changed[0, 0] += 1
    history.observe(View(changed, here.direction, here.mission))
    assert not history.tried().any()
    history.act(LEFT)
    history.observe(View(changed, here.direction, here.mission), unknown=holes)
    assert history.tried().tolist() == [1, 0, 1, 0, 0, 0, 0], "what is unknown cannot tell two observations apart"


def test_the_penalty_is_taken_off_the_log_probability(make_model, vocabulary, views):
    """A view that never changes: without memory the answer never changes, with it every action has its turn."""
    model = make_model((7, 7), vocabulary)
    stubborn, cautious = StepwisePolicy(model), StepwisePolicy(model, tried_penalty=100.0)
    taken = {}
    for policy in (stubborn, cautious):
        history, taken[policy] = policy.start(views[0].mission), []
        for _ in range(7):
            history.observe(views[0])
            taken[policy] += policy.actions([history])
            history.act(LEFT if policy is stubborn else taken[policy][-1])
    assert sorted(taken[cautious]) == list(range(7))
    assert taken[cautious][0] == taken[stubborn][0]


def test_without_attempts_the_penalty_changes_no_draw(make_model, vocabulary, views):
    model = make_model((7, 7), vocabulary)
    histories = []
    for _ in range(50):
        histories.append(History(vocabulary, views[0].mission))
        histories[-1].observe(views[0])
    plain, cautious = (ModelPolicy(model, 100.0, seed=3, tried_penalty=penalty) for penalty in (0.0, 4.0))
    drawn = plain.actions(histories)
    assert cautious.actions(histories) == drawn and len(set(drawn)) > 1
