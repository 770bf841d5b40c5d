"""Meta-World's tasks, each with places that depend on the seed, and its scripted experts.

What differs from ``Meta-World/MT1``: the goal can be seen, since the experts need it; the seed of the reset draws objects and
goals from the whole space of the task, not from 50 places; the episode ends with its first success, or some steps
after it, so that demonstrations show how to stay; and the numbers of an
observation have names, without the copy of the frame before. The mission is the task's name in words.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import gymnasium as gym
import numpy as np

PLACES = {"hand": (0, 3), "gripper": (3, 4), "object": (4, 7), "turn": (7, 11), "other": (11, 14), "other_turn": (14, 18)}
"""Name -> where it lies in Meta-World's own observation, which ends with the goal."""
GOAL = "goal"


class SeededTask(gym.Wrapper[Any, Any, Any, Any]):
    """A task of Meta-World as this module describes it.

    Attributes:
        task: its name, such as ``door-open``.
        mission: its name in words.
        steps_after: how many steps after its first success the episode ends.
        flat: the last observation as Meta-World gives it, float64 ``[39]``: what its experts read.
    """

    def __init__(self, env: Any, task: str, steps_after: int = 0) -> None:
        super().__init__(env)
        self.task, self.mission, self.steps_after = task, task.replace("-", " "), steps_after
        self._left: int | None = None
        sizes = {name: last - first for name, (first, last) in PLACES.items()}
        boxes: dict[str, gym.Space[Any]] = {name: _numbers_of(size) for name, size in (sizes | {GOAL: 3}).items()}
        self.observation_space = gym.spaces.Dict(boxes)
        # Meta-World's own `_create_observable_goal_envs` sets these, too; no public setting does.
        env._partially_observable, env._freeze_rand_vec = False, False
        env.seeded_rand_vec, env._set_task_called = True, True
        env.__dict__.pop("sawyer_observation_space", None)  # it holds bounds that hide the goal
        self.flat = np.zeros(0)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[dict[str, np.ndarray], dict]:
        """Start an episode; the seed draws where everything is."""
        if seed is not None:
            self.env.seed(seed)  # type: ignore[attr-defined]
        self.flat, _ = self.env.reset()
        self._left = None
        return self._seen(), {"mission": self.mission}

    def step(self, action: np.ndarray) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        """Do an action. The first success ends the episode, at once or later."""
        self.flat, reward, _, truncated, info = self.env.step(action)
        if self._left is not None:
            self._left -= 1
        elif info["success"]:
            self._left = self.steps_after
        return self._seen(), float(reward), self._left == 0, truncated, info

    def _seen(self) -> dict[str, np.ndarray]:
        parts = {name: self.flat[first:last] for name, (first, last) in PLACES.items()}
        return parts | {GOAL: self.flat[-3:]}


def _numbers_of(size: int) -> gym.spaces.Box:
    return gym.spaces.Box(-np.inf, np.inf, (size,), np.float64)


def make_task(task: str, steps_after: int = 0, **options: Any) -> gym.Env:
    """A task by its name without version, such as ``door-open``; the episode ends so many steps after its first success."""
    from metaworld.env_dict import ALL_V3_ENVIRONMENTS

    return SeededTask(ALL_V3_ENVIRONMENTS[f"{task}-v3"](**options), task, steps_after)


def do_task(env: gym.Env, seed: int) -> Callable[[Mapping[str, np.ndarray]], np.ndarray]:
    """Meta-World's scripted expert of an environment of `make_task`."""
    from metaworld.policies import ENV_POLICY_MAP

    expert = ENV_POLICY_MAP[f"{env.get_wrapper_attr('task')}-v3"]()

    def act(observation: Mapping[str, np.ndarray]) -> np.ndarray:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "Constant(s) may be too high": the action is clipped below
            action = expert.get_action(env.get_wrapper_attr("flat"))
        return np.clip(action, -1.0, 1.0).astype(np.float32)

    return act
