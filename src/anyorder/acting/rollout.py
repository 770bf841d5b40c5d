"""Playing episodes with a trained policy, many at once, each from its own seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic

import gymnasium as gym
import numpy as np

from anyorder.acting.corruptions import Corruption, Percept, corruption_generator
from anyorder.acting.policy import HistoryT, Policy
from anyorder.envs import minigrid
from anyorder.envs.minigrid import View
from anyorder.models.contract import GridModel
from anyorder.types import Trajectory

FIRST_SEED = 30_000_000
"""Rollouts use seeds from here on; data sets stay below."""


@dataclass
class _Episode(Generic[HistoryT]):
    env: gym.Env
    seed: int
    history: HistoryT
    generator: np.random.Generator
    corruption: Corruption
    percept: Percept | None = None
    views: list[View] = field(default_factory=list)
    actions: list[int] = field(default_factory=list)
    rewards: list[float] = field(default_factory=list)
    terminated: bool = False
    truncated: bool = False

    def observe(self, view: View) -> None:
        self.views.append(view)
        self.percept = self.corruption.perceive(view, self.percept, self.generator)
        self.history.observe(self.percept.view, self.percept.unknown, self.percept.unknown_direction)

    def step(self, chosen: int) -> None:
        executed = self.corruption.execute(chosen, self.actions[-1] if self.actions else None, self.generator)
        observation, reward, self.terminated, self.truncated, _ = self.env.step(executed.action)
        self.history.act(chosen, executed.unknown)
        self.actions.append(executed.action)
        self.rewards.append(float(reward))
        self.observe(minigrid.read_view(observation))

    def trajectory(self) -> Trajectory:
        """What really happened: what the environment showed, and the actions that it executed."""
        assert self.env.spec is not None  # gymnasium.make sets it
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
    policy: Policy[HistoryT],
    env_id: str,
    seeds: Sequence[int],
    corruption: Corruption = Corruption(),
    on_finish: Callable[[], None] | None = None,
    begins: Sequence[Callable[[str], HistoryT]] | None = None,
) -> list[Trajectory]:
    """Play one episode per seed, all at the same pace, each with its own stream of corruptions (a function of the seed).

    Args:
        policy: acts on the whole history of each episode.
        env_id: a registered environment, or several, joined by ``+``, that take turns (`anyorder.envs.minigrid.level_of`).
        seeds: of the episodes.
        corruption: changes what the policy sees and which of its actions are executed; the trajectories record what the
            environment showed and executed.
        on_finish: called once per finished episode, for progress bars.
        begins: one function per seed, from the mission to the history that the episode begins with; None:
            ``policy.start`` for all.

    Returns:
        The trajectories, in the order of the seeds.

    Raises:
        AnyOrderError: for an unknown environment, or one whose views or missions the model cannot read.
    """
    begins = [policy.start] * len(seeds) if begins is None else begins
    episodes = [_start(policy.model, env_id, seed, corruption, begin) for seed, begin in zip(seeds, begins, strict=True)]
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


def _start(
    model: GridModel, env_id: str, seed: int, corruption: Corruption, begin: Callable[[str], HistoryT]
) -> _Episode[HistoryT]:
    env = minigrid.make_env(minigrid.level_of(env_id, seed))
    view = minigrid.reset(env, seed)
    model.check(view.image.shape[:2], len(view.mission.split()))
    episode = _Episode(env, seed, begin(view.mission), corruption_generator(seed), corruption)
    episode.observe(view)
    return episode


def policy_source(policy: Policy[HistoryT], env_id: str, batch: int = 256) -> Callable[[Sequence[int]], Iterator[Trajectory]]:
    """An episode source for `anyorder.data.collect`: the policy plays the seeds, ``batch`` at a time."""

    def play(seeds: Sequence[int]) -> Iterator[Trajectory]:
        for start in range(0, len(seeds), batch):
            yield from roll_out(policy, env_id, seeds[start : start + batch])

    return play
