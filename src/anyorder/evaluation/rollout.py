"""Playing episodes with a trained policy, many at once, each from its own seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import gymnasium as gym
import numpy as np

from anyorder.envs import minigrid
from anyorder.envs.minigrid import View
from anyorder.goals import Goal
from anyorder.policy import History, Policy
from anyorder.types import Trajectory

FIRST_SEED = 30_000_000
"""Rollouts use seeds from here on; data sets stay below."""


@dataclass(frozen=True)
class Percept:
    """What reaches the agent of a view.

    Attributes:
        view: possibly corrupted.
        unknown: bool ``[X, Y]``, True where the agent is told that the cell cannot be trusted; None: nowhere.
    """

    view: View
    unknown: np.ndarray | None = None


# The environment draws its level from default_rng(seed), and experts from default_rng([seed, 1]).
_PERCEPTION_STREAM = 2


def perception_generator(seed: int) -> np.random.Generator:
    """The generator that an episode's `Perceive` draws from: a function of the episode's seed alone."""
    return np.random.default_rng([seed, _PERCEPTION_STREAM])


Perceive = Callable[[View, np.random.Generator], Percept]


def clearly(view: View, generator: np.random.Generator) -> Percept:
    """The view as it is."""
    return Percept(view)


@dataclass
class _Episode:
    env: gym.Env
    seed: int
    history: History
    generator: np.random.Generator
    perceive: Perceive
    views: list[View] = field(default_factory=list)
    actions: list[int] = field(default_factory=list)
    rewards: list[float] = field(default_factory=list)
    terminated: bool = False
    truncated: bool = False

    def observe(self, view: View) -> None:
        self.views.append(view)
        percept = self.perceive(view, self.generator)
        self.history.observe(percept.view, percept.unknown)

    def step(self, action: int) -> None:
        observation, reward, self.terminated, self.truncated, _ = self.env.step(action)
        self.history.act(action)
        self.actions.append(action)
        self.rewards.append(float(reward))
        self.observe(minigrid.read_view(observation))

    def trajectory(self) -> Trajectory:
        """What really happened, uncorrupted."""
        return Trajectory(
            env_id=self.env.spec.id,
            seed=self.seed,
            mission=self.views[0].mission,
            observations=np.stack([view.image for view in self.views]),
            directions=np.array([view.direction for view in self.views], dtype=np.uint8),
            actions=np.array(self.actions, dtype=np.uint8),
            rewards=np.array(self.rewards, dtype=np.float32),
            terminated=self.terminated,
            truncated=self.truncated,
        )


def roll_out(
    policy: Policy,
    env_id: str,
    seeds: Sequence[int],
    perceive: Perceive = clearly,
    on_finish: Callable[[], None] | None = None,
    goals: Sequence[Goal] | None = None,
) -> list[Trajectory]:
    """Play one episode per seed, all in step, each with its own corruption stream (a function of the seed).

    Args:
        policy: acts on the whole history of each episode.
        env_id: a registered environment.
        seeds: of the episodes.
        perceive: what of each view reaches the policy; the trajectories record the truth.
        on_finish: called once per finished episode, for progress bars.
        goals: one per seed, for a `GoalPolicy`.

    Returns:
        The trajectories, in the order of the seeds.

    Raises:
        AnyOrderError: for an unknown environment, or one whose views or missions the model cannot read.
    """
    tasks = [()] * len(seeds) if goals is None else [(goal,) for goal in goals]
    episodes = [_start(policy, env_id, seed, perceive, *task) for seed, task in zip(seeds, tasks, strict=True)]
    running = list(episodes)
    while running:
        for episode, action in zip(running, policy.actions([e.history for e in running])):
            episode.step(action)
        still = [e for e in running if not (e.terminated or e.truncated)]
        if on_finish:
            for _ in range(len(running) - len(still)):
                on_finish()
        running = still
    return [episode.trajectory() for episode in episodes]


def _start(policy: Policy, env_id: str, seed: int, perceive: Perceive, *goal: Goal) -> _Episode:
    env = minigrid.make_env(env_id)
    view = minigrid.reset(env, seed)
    policy.model.check(view.image.shape[:2], len(view.mission.split()))
    episode = _Episode(env, seed, policy.start(view.mission, *goal), perception_generator(seed), perceive)
    episode.observe(view)
    return episode


def policy_source(policy: Policy, env_id: str, batch: int = 256) -> Callable[[Sequence[int]], Iterator[Trajectory]]:
    """An episode source for `anyorder.data.collect`: the policy plays the seeds, ``batch`` at a time."""

    def play(seeds: Sequence[int]) -> Iterator[Trajectory]:
        for start in range(0, len(seeds), batch):
            yield from roll_out(policy, env_id, seeds[start : start + batch])

    return play
