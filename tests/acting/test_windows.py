"""A model that reads so many observations is never given more, whoever asks it."""

import numpy as np
import pytest
import torch

from anyorder.acting.corruptions import Occlusion
from anyorder.acting.goals import Goal, GoalPolicy
from anyorder.acting.imagination import given, imagine
from anyorder.acting.policy import History, ModelPolicy
from anyorder.envs.minigrid import View
from anyorder.pictures.films import beliefs, percepts


@pytest.fixture
def model(make_model):
    """Reads three observations, and notes how many it was given that are not dropped."""
    model = make_model()
    model.max_frames, model.given = 3, []
    forward = model.forward

    def noting(values, layout, order):
        present = layout.grid.frames(layout.present & (order.roles != 0)).any(dim=-1)
        model.given.append(int(present.sum(dim=1).max()))
        return forward(values, layout, order)

    model.forward = noting
    return model


def history_of(history, trajectory):
    for image, direction, action in zip(trajectory.observations, trajectory.directions, [*trajectory.actions, None]):
        history.observe(View(image, int(direction), trajectory.mission))
        if action is not None:
            history.act(int(action))
    return history


def test_an_agent_with_and_without_a_goal(model, make_trajectory):
    trajectory = make_trajectory(7)
    ModelPolicy(model).actions([history_of(History(model.vocabulary, trajectory.mission), trajectory)])
    goal = Goal(View(trajectory.observations[0], 0, ""), step=12)
    policy = GoalPolicy(model)
    history = history_of(policy.towards(goal)(""), trajectory)
    policy.actions([history])
    assert model.given == [3, 3]
    whole, recent = history.encoded(), history.recent(3).encoded()
    assert len(whole.frames) == 13 and whole.num_actions == 8
    assert len(recent.frames) == 7 and recent.num_actions == 2, "the goal is as far away as before"
    assert torch.equal(recent.frames[:2], whole.frames[6:8])


def test_imagination_and_films(model, make_trajectory):
    trajectory = make_trajectory(7)
    imagine(model, [history_of(History(model.vocabulary, trajectory.mission), trajectory)], given(np.zeros((1, 3), int)), 3)
    assert max(model.given) == 3
    believed = beliefs(model, trajectory, percepts(trajectory, Occlusion(0.3)))
    assert believed.shape == trajectory.observations.shape and max(model.given) == 3
