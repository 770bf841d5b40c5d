"""Acting towards a state asks what goal-conditioned training answers, and tells nothing of the environment's own wish."""

from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces

from anyorder.acting.field_goals import FieldGoal, FieldGoalPolicy
from anyorder.acting.field_rollout import roll_out_fields
from anyorder.config import ElementModelConfig
from anyorder.elements.fields import EncodedFieldData, collate_fields
from anyorder.elements.fitting import fit_spec
from anyorder.elements.layout import Kind
from anyorder.evaluation.field_goal_reaching import last_state
from anyorder.masking.order import Role
from anyorder.masking.strategies import GoalConditioned
from anyorder.models.element.element_transformer import ElementTransformer
from anyorder.types import FieldTrajectory

PLACES = spaces.Dict(
    achieved_goal=spaces.Box(-9, 9, (1,), np.float64),
    desired_goal=spaces.Box(-9, 9, (1,), np.float64),
    sign=spaces.Box(-9, 9, (1,), np.float64),
)


class Walk(gym.Env):
    """A walk on a line towards a place, which is told as it is, and whose sign an observation repeats at every step."""

    observation_space, action_space = PLACES, spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place, self.aim = 0.0, float(self.np_random.choice([-3, 3]))
        return self._seen(), {}

    def step(self, action):
        self.place += 1.0 if action else -1.0
        return self._seen(), 0.0, self.place == self.aim, abs(self.place) > 6, {"success": self.place == self.aim}

    def _seen(self):
        return {name: np.array([value]) for name, value in self._values().items()}

    def _values(self):
        return {"achieved_goal": self.place, "desired_goal": self.aim, "sign": np.sign(self.aim) * self.place}


gym.register("GoalWalk-v0", entry_point=Walk, max_episode_steps=20)


def walk(seed, num_actions=7):
    rng = np.random.default_rng(seed)
    actions = rng.integers(0, 2, num_actions)
    places = np.concatenate([[0], np.cumsum(2.0 * actions - 1)])[:, None]
    observed = {"achieved_goal": places, "desired_goal": np.full_like(places, rng.normal()), "sign": -places + 0.1}
    ends = np.arange(num_actions) == num_actions - 1
    return FieldTrajectory(
        "GoalWalk-v0", seed, observed, {"action": actions}, np.zeros(num_actions), ends, ends & False, success=True
    )


@pytest.fixture(scope="module")
def walks():
    return [walk(seed) for seed in range(12)]


@pytest.fixture(scope="module")
def model(walks):
    torch.manual_seed(0)
    spec = fit_spec(PLACES, spaces.Discrete(2), walks)
    return ElementTransformer(ElementModelConfig(width=16, num_layers=2, num_heads=2, max_frames=9), spec).eval()


def history_of(policy, goal, trajectory, length):
    history = policy.towards(goal)
    for step in range(length):
        history.observe({path: array[step] for path, array in trajectory.observations.items()})
        if step < length - 1:
            history.act({path: array[step] for path, array in trajectory.actions.items()})
    return history


def test_every_step_is_answered_as_in_training(model, walks):
    batch = EncodedFieldData(walks[:1], model.spec).batch([0])
    with torch.no_grad():
        trained = model(batch.values, batch.layout, GoalConditioned()(batch.layout, torch.Generator()))
    policy, goal = FieldGoalPolicy(model, spaces.Discrete(2)), last_state(walks[0])
    for step in range(len(walks[0])):
        acting = policy.logits([history_of(policy, goal, walks[0], step + 1)])[0, 0]
        torch.testing.assert_close(acting, trained[step])


def test_the_wish_is_untold_and_a_late_agent_has_the_same_time_again(model, walks):
    policy, goal = FieldGoalPolicy(model, spaces.Discrete(2)), last_state(walks[0])
    late = replace(goal, step=3)
    histories = [history_of(policy, one, walks[1], 5) for one in (goal, late)]
    layout = collate_fields([one.encoded() for one in histories], model.spec).layout
    order = policy.order(layout, histories)
    assert (order.roles[layout.of_kind(Kind.MISSION)] == Role.DROPPED).all() and layout.of_kind(Kind.MISSION).any()
    assert layout.step.amax(dim=1).tolist() == [7, 6] and (order.targets.sum(dim=1) == 1).all()
    wished = replace(goal, observation={**goal.observation, "desired_goal": np.array([5.0])})
    same = [policy.logits([history_of(policy, one, walks[1], 5)]) for one in (goal, wished)]
    assert torch.equal(*same)


def test_each_episode_has_its_own_goal(model):
    policy = FieldGoalPolicy(model, spaces.Discrete(2), temperature=1.0)
    places = [np.array([3.0]), np.array([-3.0])]
    goals = [FieldGoal({"achieved_goal": p, "desired_goal": p * 0, "sign": p}, 3) for p in places]
    begun = []

    def begin(number, mission):
        begun.append(policy.towards(goals[number]))
        return begun[-1]

    played = roll_out_fields(policy, "GoalWalk-v0", [5, 6], begin=begin)
    assert [one.seed for one in played] == [5, 6] and len(begun) == 2
    shown = [float(one.encoded().frame_numbers[-1, 0]) for one in begun]
    assert shown[0] > 0 > shown[1]
