"""Playing episodes of any environment with a trained policy, many at once, each from its own seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import gymnasium as gym
import numpy as np
from torch import Tensor

from anyorder.acting.field_policy import FieldHistory, FieldPolicy
from anyorder.data.episodes import in_batches
from anyorder.data.manifest import Failure
from anyorder.envs.episode import EpisodeFailed
from anyorder.envs.making import make_environments
from anyorder.envs.minigrid import level_of
from anyorder.envs.recording import FieldEpisode
from anyorder.envs.worded import worded
from anyorder.errors import AnyOrderError
from anyorder.types import FieldTrajectory

SLOTS = 64
"""Episodes that are played at the same time; each has an environment of its own, which the next episode uses again."""

Perceived = tuple[Mapping[str, np.ndarray], Tensor | None]
Perceive = Callable[[Mapping[str, np.ndarray], np.random.Generator], Perceived]
"""From an observation, path -> array, to what reaches the agent: an observation, and bool ``[P]``, True for elements that it is
told not to trust (`anyorder.acting.field_policy.FieldHistory.observe`)."""
Begin = Callable[[int, str], FieldHistory]
"""From the number of an episode among those that are played, and its mission, to its empty history."""


def roll_out_fields(
    policy: FieldPolicy,
    env_id: str,
    seeds: Sequence[int],
    perceive: Perceive | None = None,
    on_finish: Callable[[], None] | None = None,
    slots: int = SLOTS,
    begin: Begin | None = None,
) -> list[FieldTrajectory | Failure]:
    """Play one episode per seed.

    A policy that draws draws once per step for all episodes that are running, so its actions depend on the other seeds; those
    of a policy that does not draw depend on nothing but the episode.

    Args:
        policy: acts on the last observations of each episode.
        env_id: a registered environment, or several, joined by ``+``, that take turns (`anyorder.envs.minigrid.level_of`).
        seeds: of the episodes.
        perceive: changes what the policy sees; the trajectories record what the environment showed. Its generator is a function
            of the episode's seed. None: nothing is changed.
        on_finish: called once per finished episode, for progress bars.
        slots: how many episodes are played at the same time.
        begin: makes the history of an episode from the number of its seed and its mission; None: ``policy.start``.

    Returns:
        One result per seed, in the order of the seeds.

    Raises:
        AnyOrderError: for an unknown environment, or one whose spaces are not those that the policy was trained for.
    """
    envs = _Environments(env_id, policy)
    begin = begin or (lambda number, mission: policy.start(mission))
    results: dict[int, FieldTrajectory | Failure] = {}
    running: list[_Running] = []
    waiting = iter(enumerate(seeds))
    while len(results) < len(seeds):
        running += _started(waiting, slots - len(running), envs, begin, perceive, results)
        if not running:  # the last ones failed at their reset
            break
        actions = policy.flat_actions([played.history for played in running])
        for played, action in zip(list(running), actions):
            result = played.step(action, policy)
            if result is not None:
                results[played.number] = result
                running.remove(played)
                envs.give_back(played.level, played.episode.env)
                if on_finish is not None:
                    on_finish()
    return [results[number] for number in range(len(seeds))]


def field_policy_source(
    policy: FieldPolicy, env_id: str, batch: int = 256
) -> Callable[[Sequence[int]], Iterator[FieldTrajectory | Failure]]:
    """An episode source for `anyorder.data.collect`: the policy plays the seeds, ``batch`` at a time."""
    return in_batches(partial(roll_out_fields, policy, env_id), batch)


@dataclass
class _Running:
    """An episode that goes on."""

    number: int
    level: str
    episode: FieldEpisode
    history: FieldHistory
    perceive: Perceive | None
    generator: np.random.Generator

    def observe(self) -> None:
        seen: Perceived = self.episode.last_record, None
        if self.perceive is not None:
            seen = self.perceive(seen[0], self.generator)
        self.history.observe(*seen)

    def step(self, action: Mapping[str, np.ndarray], policy: FieldPolicy) -> FieldTrajectory | Failure | None:
        """Do what the agent chose; returns the result once the episode is over."""
        try:
            self.episode.step(policy.as_given(action))
        except EpisodeFailed as failed:
            return Failure(self.episode.seed, failed.reason)
        self.history.act(self.episode.actions[-1])
        self.observe()
        return self.episode.trajectory() if self.episode.over else None


@dataclass
class _Environments:
    """Environments that are used again."""

    env_id: str
    policy: FieldPolicy
    idle: dict[str, list[gym.Env]] = field(default_factory=dict)

    def take(self, level: str) -> gym.Env:
        if self.idle.get(level):
            return self.idle[level].pop()
        env = worded(make_environments(level)[0])
        if env.action_space != self.policy.action_space:
            raise AnyOrderError(
                f"the environment must have the action space of the training data, {self.policy.action_space}; found"
                f" {env.action_space} in {level}; choose another environment"
            )
        return env

    def give_back(self, level: str, env: gym.Env) -> None:
        self.idle.setdefault(level, []).append(env)


def _started(
    waiting: Iterator[tuple[int, int]],
    number: int,
    envs: _Environments,
    begin: Begin,
    perceive: Perceive | None,
    results: dict[int, FieldTrajectory | Failure],
) -> Iterator[_Running]:
    """Begin so many episodes; those that fail at their reset are results already."""
    while number > 0 and (following := next(waiting, None)) is not None:
        place, seed = following
        level = level_of(envs.env_id, seed)
        try:
            episode = FieldEpisode(envs.take(level), level, seed)
        except EpisodeFailed as failed:
            results[place] = Failure(seed, failed.reason)
            continue
        played = _Running(place, level, episode, begin(place, episode.mission), perceive, np.random.default_rng([seed, 2]))
        played.observe()
        number -= 1
        yield played
