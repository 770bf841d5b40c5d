"""Playing episodes of text environments with a trained agent, several at once, each from its own seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter

import gymnasium as gym
import numpy as np

from anyorder.acting.corruptions import corruption_generator
from anyorder.acting.text_corruptions import TextCorruption
from anyorder.acting.text_costs import EpisodeBudget, EpisodeCost, MeteredEpisode
from anyorder.acting.text_history import TextHistory
from anyorder.acting.text_player import TextPlayer
from anyorder.data.episodes import EpisodeSource, in_batches
from anyorder.data.manifest import Failure
from anyorder.envs.episode import EpisodeFailed
from anyorder.envs.making import make_environments
from anyorder.envs.minigrid import level_of
from anyorder.envs.played_text import PlayedText
from anyorder.envs.telling import TextEpisode, TextView, is_text_env
from anyorder.errors import AnyOrderError

TEXT_SLOTS = 8
"""Episodes that are played at the same time; each has an environment of its own, which the next episode uses again."""
NO_LIMIT = EpisodeBudget()
_AGENT_STREAM = 3


def roll_out_texts(
    agent: TextPlayer,
    env_id: str,
    seeds: Sequence[int],
    on_finish: Callable[[], None] = lambda: None,
    slots: int = TEXT_SLOTS,
) -> list[PlayedText | Failure]:
    """What became of each seed; see `play_texts`."""
    return [one.result for one in play_texts(agent, env_id, seeds, on_finish, slots)]


def play_texts(
    agent: TextPlayer,
    env_id: str,
    seeds: Sequence[int],
    on_finish: Callable[[], None] = lambda: None,
    slots: int = TEXT_SLOTS,
    budget: EpisodeBudget = NO_LIMIT,
    corruption: TextCorruption | None = None,
) -> list[MeteredEpisode]:
    """Play one episode per seed. What an agent does in an episode depends on that episode alone.

    Args:
        agent: acts on the history of each episode.
        env_id: a text environment, or several, joined by ``+``, that take turns (`anyorder.envs.minigrid.level_of`).
        seeds: of the episodes.
        on_finish: called once per finished episode, for progress bars.
        slots: how many episodes are played at the same time.
        budget: an episode whose decisions take more ends.
        corruption: of what the agent reads; the trajectories record what the environment said. None: nothing is corrupted.

    Returns:
        One result per seed, in the order of the seeds.

    Raises:
        AnyOrderError: for an unknown environment, one that is not played in words, or one that does not say what is admissible
            to an agent that must know it.
    """
    envs = _IdleEnvironments({})
    results: dict[int, MeteredEpisode] = {}
    running: list[_RunningText] = []
    waiting, told = iter(enumerate(seeds)), 0
    while len(results) < len(seeds):
        running += _begun(waiting, slots - len(running), envs, agent, env_id, results, corruption)
        begun = perf_counter()
        actions = agent.act([one.history for one in running], [one.generator for one in running]) if running else []
        seconds = (perf_counter() - begun) / max(1, len(running))
        for one, action in zip(list(running), actions):
            result = one.step(action, seconds, budget)
            if result is not None:
                results[one.number] = result
                running.remove(one)
                envs.give_back(one)
        for _ in range(len(results) - told):
            on_finish()
        told = len(results)
    return [results[number] for number in range(len(seeds))]


def replay_text(env_id: str, seed: int, actions: Sequence[str]) -> PlayedText | Failure:
    """Play an episode again. Some worlds show other details when a task is loaded anew.

    Args:
        env_id: a text environment, or several, joined by ``+``.
        seed: of the episode.
        actions: that were done.

    Raises:
        AnyOrderError: when the environment cannot be made.
    """
    level = level_of(env_id, seed)
    try:
        episode = TextEpisode(make_text_environment(level), level, seed)
        for action in actions:
            if episode.over:
                break
            episode.step(action)
        return episode.trajectory()
    except EpisodeFailed as failed:
        return Failure(seed, failed.reason)


def text_agent_source(agent: TextPlayer, env_id: str, batch: int = 8 * TEXT_SLOTS) -> EpisodeSource:
    """An episode source for `anyorder.data.collect`: the agent plays the seeds, ``batch`` at a time."""
    return in_batches(partial(roll_out_texts, agent, env_id), batch)


@dataclass
class _RunningText:
    """An episode that goes on."""

    number: int
    level: str
    episode: TextEpisode
    history: TextHistory
    generator: np.random.Generator
    corruption: TextCorruption | None
    cost: EpisodeCost = field(default_factory=EpisodeCost)

    def observe(self, view: TextView) -> None:
        """What is shown reaches the agent, corrupted or not."""
        if self.corruption is None:
            self.history.observe(view)
        else:
            drawn = corruption_generator(self.episode.seed, len(self.episode.views))
            self.history.observe(view, self.corruption(view.text, drawn))

    def step(self, action: str, seconds: float, budget: EpisodeBudget) -> MeteredEpisode | None:
        """Do what the agent chose in so many seconds; returns the result once the episode is over."""
        self.cost = self.cost.after(self.history.tokens_read, seconds)
        try:
            self.observe(self.episode.step(action))
        except EpisodeFailed as failed:
            return MeteredEpisode(Failure(self.episode.seed, failed.reason), self.cost)
        if budget.is_exceeded_by(self.cost):
            return MeteredEpisode.stopped(self.episode.trajectory(), self.cost)
        return MeteredEpisode(self.episode.trajectory(), self.cost) if self.episode.over else None


def make_text_environment(level: str) -> gym.Env:
    """An environment by its id.

    Raises:
        AnyOrderError: when there is none, or its observations and actions are not texts.
    """
    env = make_environments(level)[0]
    if not is_text_env(env):
        raise AnyOrderError(
            f"the environment must be one whose observations and actions are texts; found {level}; choose another, or a"
            " checkpoint of another model"
        )
    return env


@dataclass
class _IdleEnvironments:
    """Environments that are used again; level -> those that no episode uses now."""

    idle: dict[str, list[gym.Env]]

    def take(self, level: str) -> gym.Env:
        if self.idle.get(level):
            return self.idle[level].pop()
        return make_text_environment(level)

    def give_back(self, played: _RunningText) -> None:
        self.idle.setdefault(played.level, []).append(played.episode.env)


def _begun(
    waiting: Iterator[tuple[int, int]],
    number: int,
    envs: _IdleEnvironments,
    agent: TextPlayer,
    env_id: str,
    results: dict[int, MeteredEpisode],
    corruption: TextCorruption | None,
) -> Iterator[_RunningText]:
    """Begin so many episodes; those that fail at their reset are results already."""
    while number > 0 and (following := next(waiting, None)) is not None:
        place, seed = following
        level = level_of(env_id, seed)
        env = envs.take(level)
        try:
            episode = TextEpisode(env, level, seed)
        except EpisodeFailed as failed:
            results[place] = MeteredEpisode(Failure(seed, failed.reason), EpisodeCost())
            continue
        drawn = np.random.default_rng([seed, _AGENT_STREAM])
        begun = _RunningText(place, level, episode, agent.start(episode.mission), drawn, corruption)
        begun.observe(episode.views[-1])
        number -= 1
        yield begun
