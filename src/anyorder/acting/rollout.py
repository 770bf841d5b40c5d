"""Playing episodes with a trained policy, many at once, each from its own seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic

import numpy as np

from anyorder.acting.corruptions import Corruption, Percept, corruption_generator
from anyorder.acting.policy import HistoryT, Policy
from anyorder.data.episodes import in_batches
from anyorder.data.manifest import Failure
from anyorder.envs import minigrid
from anyorder.envs.episode import Episode, EpisodeFailed
from anyorder.envs.minigrid import View
from anyorder.models.contract import GridModel
from anyorder.types import Trajectory

FIRST_SEED = 30_000_000
"""Rollouts use seeds from here on; data sets stay below."""
EPISODES_AT_ONCE = 512
"""Episodes that are played at the same pace; more would take more memory, since each keeps its environment and its past."""


@dataclass
class _Played(Generic[HistoryT]):
    """An episode that an agent plays: what reaches the agent, and what becomes of its actions."""

    episode: Episode
    history: HistoryT
    generator: np.random.Generator
    corruption: Corruption
    percept: Percept | None = None

    def observe(self, view: View) -> None:
        self.percept = self.corruption.perceive(view, self.percept, self.generator)
        self.history.observe(self.percept.view, self.percept.unknown, self.percept.unknown_direction)

    def step(self, chosen: int) -> Trajectory | Failure | None:
        """Do what the agent chose; returns the result once the episode is over."""
        last = self.episode.actions[-1] if self.episode.actions else None
        executed = self.corruption.execute(chosen, last, self.generator)
        try:
            view = self.episode.step(executed.action)
        except EpisodeFailed as failed:
            return Failure(self.episode.seed, failed.reason)
        self.history.act(chosen, executed.unknown)
        self.observe(view)
        return self.episode.trajectory() if self.episode.over else None


def roll_out(
    policy: Policy[HistoryT],
    env_id: str,
    seeds: Sequence[int],
    corruption: Corruption = Corruption(),
    on_finish: Callable[[], None] | None = None,
    begins: Sequence[Callable[[str], HistoryT]] | None = None,
) -> list[Trajectory | Failure]:
    """Play one episode per seed, each with its own stream of corruptions (a function of the seed).

    `EPISODES_AT_ONCE` episodes are played at the same pace, then as many of the next seeds, and so on. A policy that draws
    draws once per step for all episodes that are still running. So its actions depend on its seed and on the seeds up to
    the end of their group of 512; those of a policy that does not draw depend on nothing but the episode.

    Args:
        policy: acts on the whole history of each episode, with the actions that its environment has.
        env_id: a registered environment, or several, joined by ``+``, that take turns (`anyorder.envs.minigrid.level_of`).
        seeds: of the episodes.
        corruption: changes what the policy sees and which of its actions are executed; the trajectories record what the
            environment showed and executed.
        on_finish: called once per finished episode, for progress bars.
        begins: one function per seed, from the mission to the history that the episode begins with; None:
            ``policy.start`` for all.

    Returns:
        One result per seed, in the order of the seeds: the trajectory, or a failure where the environment raised or did what
        cannot be recorded (`anyorder.envs.episode.Episode`).

    Raises:
        AnyOrderError: for an unknown environment, or one whose views or missions the model cannot read.
    """
    begins = [policy.start] * len(seeds) if begins is None else begins
    results: list[Trajectory | Failure] = []
    for first in range(0, len(seeds), EPISODES_AT_ONCE):
        group = slice(first, first + EPISODES_AT_ONCE)
        results += _play_together(policy, env_id, seeds[group], corruption, on_finish or (lambda: None), begins[group])
    return results


def _play_together(
    policy: Policy[HistoryT],
    env_id: str,
    seeds: Sequence[int],
    corruption: Corruption,
    on_finish: Callable[[], None],
    begins: Sequence[Callable[[str], HistoryT]],
) -> list[Trajectory | Failure]:
    results: dict[int, Trajectory | Failure] = {}
    running: dict[int, _Played[HistoryT]] = {}

    def finish(number: int, result: Trajectory | Failure) -> None:
        results[number] = result
        running.pop(number, None)  # its environment and its past are not needed any more
        on_finish()

    for number, (seed, begin) in enumerate(zip(seeds, begins, strict=True)):
        try:
            running[number] = _start(policy.model, env_id, seed, corruption, begin)
        except EpisodeFailed as failed:
            finish(number, Failure(seed, failed.reason))
    while running:
        actions = policy.actions([played.history for played in running.values()])
        for (number, played), action in zip(list(running.items()), actions):
            if (result := played.step(action)) is not None:
                finish(number, result)
    return [results[number] for number in range(len(seeds))]


def _start(
    model: GridModel, env_id: str, seed: int, corruption: Corruption, begin: Callable[[str], HistoryT]
) -> _Played[HistoryT]:
    level = minigrid.level_of(env_id, seed)
    env = minigrid.make_env(level)
    episode = Episode(env, level, seed)
    (view,) = episode.views
    model.check(view.image.shape[:2], len(view.mission.split()))
    history = begin(view.mission)
    history.num_actions = minigrid.num_actions_of(env)
    played = _Played(episode, history, corruption_generator(seed), corruption)
    played.observe(view)
    return played


def finished(results: Sequence[Trajectory | Failure]) -> list[Trajectory]:
    """The episodes that were played to their end, without those that failed."""
    return [result for result in results if isinstance(result, Trajectory)]


def failures_among(results: Sequence[Trajectory | Failure]) -> list[Failure]:
    """The episodes that failed."""
    return [result for result in results if isinstance(result, Failure)]


def policy_source(
    policy: Policy[HistoryT], env_id: str, batch: int = 256
) -> Callable[[Sequence[int]], Iterator[Trajectory | Failure]]:
    """An episode source for `anyorder.data.collect`: the policy plays the seeds, ``batch`` at a time."""
    return in_batches(partial(roll_out, policy, env_id), batch)
