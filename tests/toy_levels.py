"""Environments that a user could have written, good ones and bad ones, registered while the fixture ``toy_levels`` is used."""

import gymnasium as gym
import numpy as np

from anyorder.envs import minigrid  # noqa: F401  (first: it silences what minigrid prints)

from minigrid.envs import EmptyEnv  # isort: skip
from minigrid.wrappers import RGBImgPartialObsWrapper  # isort: skip


class Toy(EmptyEnv):
    """An empty room of 5x5, ten steps."""

    num_actions = 7

    def __init__(self, **options):
        super().__init__(size=5, max_steps=10, **options)
        self.action_space = gym.spaces.Discrete(self.num_actions)
        self.seed = None

    def reset(self, *, seed=None, options=None):
        self.seed = seed
        return super().reset(seed=seed, options=options)


class FourActions(Toy):
    num_actions = 4

    def step(self, action):
        assert self.action_space.contains(action), f"action {action}"
        return super().step(action)


class EightActions(Toy):
    num_actions = 8


class SevenColors(Toy):
    def gen_obs(self):
        observation = super().gen_obs()
        observation["image"][0, 0, 1] = 6
        return observation


class MissionList(Toy):
    def gen_obs(self):
        return {**super().gen_obs(), "mission": ["go", "on"]}


class MissionChanges(Toy):
    def gen_obs(self):
        self.mission = "first this" if self.step_count < 3 else "then that"
        return super().gen_obs()


class LateColor(Toy):
    def gen_obs(self):
        observation = super().gen_obs()
        observation["image"][0, 0, 1] = 6 if self.step_count >= 3 else 0
        return observation


class NoNumber(Toy):
    def step(self, action):
        observation, _, *rest = super().step(action)
        return observation, float("nan"), *rest


class Breaks(Toy):
    """Odd seeds break at the third step, seeds that 4 divides at the reset."""

    def reset(self, *, seed=None, options=None):
        if seed % 4 == 0:
            raise RuntimeError("no level")
        return super().reset(seed=seed, options=options)

    def step(self, action):
        if self.seed % 2 and self.step_count == 2:
            raise RuntimeError("it broke")
        return super().step(action)


class NeedsPackage(Toy):
    def reset(self, *, seed=None, options=None):
        raise gym.error.DependencyNotInstalled("paint is missing")


class Rich(Toy):
    def step(self, action):
        observation, _, *rest = super().step(action)
        return observation, np.float64(0.5), *rest


LEVELS = [
    FourActions,
    EightActions,
    SevenColors,
    MissionList,
    MissionChanges,
    LateColor,
    NoNumber,
    Breaks,
    NeedsPackage,
    Rich,
]


def register():
    for level in LEVELS:
        gym.register(f"{level.__name__}-v0", entry_point=level)
    gym.register("Pictures-v0", entry_point=lambda **options: RGBImgPartialObsWrapper(Toy(**options)))


def unregister():
    for level in LEVELS:
        del gym.registry[f"{level.__name__}-v0"]
    del gym.registry["Pictures-v0"]
