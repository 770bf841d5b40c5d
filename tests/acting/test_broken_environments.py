"""An agent acts within the actions of its environment; an episode that breaks costs nothing but itself."""

import pytest
import torch

from anyorder.acting import rollout
from anyorder.acting.goals import Goal, GoalPolicy
from anyorder.acting.planning import Novelty, Planner, Search, UniformPolicy
from anyorder.acting.policy import ModelPolicy
from anyorder.acting.rebuilding import RebuildingPolicy
from anyorder.acting.rollout import FIRST_SEED, roll_out
from anyorder.acting.stepwise import StepwisePolicy
from anyorder.data.manifest import Failure
from anyorder.envs.minigrid import View
from anyorder.types import Trajectory

pytestmark = pytest.mark.usefixtures("toy_levels")
SEEDS = range(FIRST_SEED, FIRST_SEED + 6)


@pytest.fixture(scope="module")
def model(make_model, vocabulary):
    return make_model((7, 7), vocabulary)


def _planner(model):
    return Planner(ModelPolicy(model, 50.0), Novelty(), Search(num_actions=6, certain=1.1), temperature=50.0)


@pytest.mark.parametrize(
    "make",
    [
        lambda model: ModelPolicy(model, 50.0),
        lambda model: StepwisePolicy(model, 50.0),
        lambda model: RebuildingPolicy(model, 50.0),
        lambda model: UniformPolicy(model, actions=range(7)),
        _planner,
    ],
)
def test_no_policy_leaves_the_action_space(model, make):
    played = roll_out(make(model), "FourActions-v0", SEEDS[:3])
    assert all(isinstance(one, Trajectory) for one in played), played
    assert {action for one in played for action in one.actions.tolist()} == {0, 1, 2, 3}


def test_nor_does_a_policy_with_a_goal(model, trajectories):
    policy, shown = GoalPolicy(model, 50.0), trajectories[0]
    goal = Goal(View(shown.observations[-1], int(shown.directions[-1]), shown.mission), 5)
    played = roll_out(policy, "FourActions-v0", SEEDS[:3], begins=[policy.towards(goal)] * 3)
    assert all(isinstance(one, Trajectory) for one in played), played


def test_each_episode_has_the_actions_of_its_own_environment(model, trajectories):
    policy = ModelPolicy(model)
    few, all_of_them = (policy.start(trajectories[0].mission) for _ in range(2))
    for history in (few, all_of_them):
        history.observe(View(trajectories[0].observations[0], 0, trajectories[0].mission))
    few.num_actions = 3
    logits = policy.logits([few, all_of_them])
    assert logits[0].isfinite().tolist() == 3 * [True] + 4 * [False]
    assert torch.equal(logits[0, :3], logits[1, :3]) and logits[1].isfinite().all()


def test_an_environment_that_raises_costs_its_episode_and_no_other(model):
    assert FIRST_SEED % 4 == 0
    played = roll_out(StepwisePolicy(model), "Breaks-v0", SEEDS)
    assert [one.seed for one in played] == list(SEEDS)
    assert played[0] == Failure(FIRST_SEED, "RuntimeError: no level")
    assert played[1] == Failure(FIRST_SEED + 1, "RuntimeError: it broke")
    (alone,) = roll_out(StepwisePolicy(model), "Breaks-v0", [FIRST_SEED + 2])
    assert played[2].actions.tolist() == alone.actions.tolist()


def test_groups_play_the_same_episodes_and_hold_no_more_than_their_own(model, monkeypatch):
    together = roll_out(StepwisePolicy(model), "FourActions-v0", SEEDS)
    most = []

    class Counting(StepwisePolicy):
        def actions(self, histories):
            most.append(len(histories))
            return super().actions(histories)

    monkeypatch.setattr(rollout, "EPISODES_AT_ONCE", 2)
    in_groups = roll_out(Counting(model), "FourActions-v0", SEEDS)
    assert max(most) == 2
    assert [one.actions.tolist() for one in in_groups] == [one.actions.tolist() for one in together]
    drawn = roll_out(StepwisePolicy(model, 1.0, seed=1), "FourActions-v0", SEEDS)
    first = roll_out(StepwisePolicy(model, 1.0, seed=1), "FourActions-v0", SEEDS[:2])
    assert [one.actions.tolist() for one in drawn[:2]] == [one.actions.tolist() for one in first]
