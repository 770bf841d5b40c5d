"""How an agent did in text environments: score, success and steps, and how often it would do what demonstrations do.

Everything is given for each task and each split."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.table import Table
from torch import Tensor

from anyorder.acting.text_agent import TextAgent
from anyorder.acting.text_costs import EpisodeCost, MeteredEpisode
from anyorder.acting.text_history import TextHistory
from anyorder.data.manifest import Failure
from anyorder.envs.minigrid import level_of
from anyorder.envs.played_text import PlayedText
from anyorder.envs.splits import split_of_seed
from anyorder.envs.telling import TextView
from anyorder.evaluation.field_acting import mean_of
from anyorder.evaluation.statistics import ItemSums, Measured, Proportion
from anyorder.terminal import titled_table

HISTORIES_AT_ONCE = 64


@dataclass(frozen=True)
class TextTaskScore:
    """How an agent did in the episodes of one task and one split.

    Attributes:
        task: the id of the environment.
        split: whose variations of the task were played: ``train`` (the agent has seen them), ``validation`` or ``test``.
        num_episodes: how many, those that failed included.
        num_failed: how many the environment broke off; they count as no success, and not in the means.
        success: share of the episodes that succeeded; None where the environment says nothing of success.
        score: mean of the last score; None where all failed, as also in the steps.
        steps: mean number of actions.
        num_over_budget: how many ended because their decisions took more than they may; they count as no success.
        tokens_per_decision: what the model read and wrote, in all passes; None without a decision, as also in the seconds.
        seconds_per_decision: wall time; episodes that are played together share it equally.
    """

    task: str
    split: str
    num_episodes: int
    num_failed: int
    success: Proportion | None
    score: Measured | None
    steps: Measured | None
    num_over_budget: int = 0
    tokens_per_decision: Measured | None = None
    seconds_per_decision: Measured | None = None

    @classmethod
    def of(cls, task: str, split: str, episodes: Sequence[MeteredEpisode]) -> TextTaskScore:
        """Score episodes of one task and one split."""
        played, costs = [one.result for one in episodes], [one.cost for one in episodes]
        ended = [one for one in played if isinstance(one, PlayedText)]
        said = [one.success for one in ended if one.success is not None]
        success = Proportion(sum(said), len(played) - len(ended) + len(said)) if said else None
        score, steps = (mean_of([one.score for one in ended]), mean_of([len(one) for one in ended])) if ended else (None, None)
        return cls(
            *(task, split, len(played), len(played) - len(ended), success, score, steps),
            num_over_budget=sum(one.over_budget for one in episodes),
            tokens_per_decision=_per_decision(costs, [one.tokens for one in costs]),
            seconds_per_decision=_per_decision(costs, [one.seconds for one in costs]),
        )


def _per_decision(costs: Sequence[EpisodeCost], spent: Sequence[float]) -> Measured | None:
    """The mean over all decisions, its interval from drawing whole episodes; None where there was no decision."""
    counts = np.array([one.decisions for one in costs], np.float64)
    return ItemSums(len(costs), np.random.default_rng(0)).ratio(np.array(spent, np.float64), counts) if counts.any() else None


@dataclass(frozen=True)
class ChoiceScore:
    """How often an agent, given the past of a demonstration, finds that demonstration's action the most probable of all that
    are admissible.

    Attributes:
        task, split: as of `TextTaskScore`.
        agent: share of the actions.
        most_frequent: the same of choosing the admissible action that is the most frequent in the training split.
        chance: expected share of choosing at random.
    """

    task: str
    split: str
    agent: Proportion
    most_frequent: Proportion
    chance: float


def task_scores(env_id: str, seeds: Sequence[int], played: Sequence[MeteredEpisode]) -> list[TextTaskScore]:
    """One score for each task and split.

    Args:
        env_id: where the episodes were played; several ids are joined by ``+``.
        seeds: of the episodes.
        played: what became of each seed.
    """
    groups = _grouped((level_of(env_id, seed), split_of_seed(seed), one) for seed, one in zip(seeds, played))
    return [TextTaskScore.of(task, split, found) for (task, split), found in groups.items()]


def choice_scores(
    agent: TextAgent,
    train: Iterable[PlayedText],
    test: Sequence[PlayedText],
    on_episode: Callable[[], None] = lambda: None,
) -> list[ChoiceScore]:
    """One score for each task and split of the demonstrations ``test``; ``train`` says how frequent actions are."""
    frequency = Counter(action for episode in train for action in episode.actions)
    rows = []
    for episode in test:
        chosen = _chosen(agent, episode)
        for action, best, admissible in zip(episode.actions, chosen, episode.admissible):
            if best is not None:
                frequent = max(admissible, key=lambda one: frequency[one])
                row = action == best, action == frequent, (action in admissible) / len(admissible)
                rows.append((episode.env_id, split_of_seed(episode.seed), row))
        on_episode()
    return [_choice_score(task, split, found) for (task, split), found in _grouped(rows).items()]


def _chosen(agent: TextAgent, episode: PlayedText) -> list[str | None]:
    """At each step of a demonstration, the most probable action; None where it is not known what is admissible."""
    return [
        None if found is None else admissible[int(found.argmax())]
        for found, admissible in zip(choices_along(agent, episode), episode.admissible)
    ]


def choices_along(agent: TextAgent, episode: PlayedText) -> list[Tensor | None]:
    """At each step of an episode, given its past, the log-probability of each admissible action (see
    `TextAgent.log_probabilities`); None where it is not known what is admissible."""
    found: list[Tensor | None] = [None] * len(episode)
    waiting: list[tuple[int, TextHistory]] = []
    history = agent.start(episode.mission)
    for step, view in enumerate(_views(episode)):
        history.observe(view)
        if view.admissible and step < len(episode):
            waiting.append((step, history.copy()))
    for start in range(0, len(waiting), HISTORIES_AT_ONCE):
        steps, histories = zip(*waiting[start : start + HISTORIES_AT_ONCE])
        for step, probabilities in zip(steps, agent.log_probabilities(histories)):
            found[step] = probabilities
    return found


def _views(episode: PlayedText) -> Iterator[TextView]:
    done = (None, *episode.actions)
    for text, admissible, score, action in zip(episode.observations, episode.admissible, episode.scores, done):
        yield TextView(text, admissible, score, episode.mission, action)


def _choice_score(task: str, split: str, rows: Sequence[tuple[bool, bool, float]]) -> ChoiceScore:
    right, frequent, chance = zip(*rows)
    count = len(rows)
    return ChoiceScore(task, split, Proportion(sum(right), count), Proportion(sum(frequent), count), sum(chance) / count)


def _grouped(rows: Iterable[tuple[str, str, Any]]) -> dict[tuple[str, str], list[Any]]:
    groups: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for task, split, row in rows:
        groups[task, split].append(row)
    return dict(sorted(groups.items()))


def acting_tables(played: Sequence[TextTaskScore], choices: Sequence[ChoiceScore]) -> list[Table]:
    """What was played and what was chosen, for people; empty where there is nothing."""
    tables = []
    if played:
        numbers = ("episodes", "over budget", "success", "score", "steps", "tokens a decision", "ms a decision")
        table = titled_table("Episodes played, with 95% intervals", "task", "split", *numbers, right=numbers)
        for one in played:
            success = str(one.success) if one.success else "-"
            score, steps = (each.words() if each else "-" for each in (one.score, one.steps))
            counts = f"{one.num_episodes:,}", f"{one.num_over_budget:,}"
            table.add_row(one.task, one.split, *counts, success, score, steps, *_costs(one))
        tables.append(table)
    if choices:
        columns = ("actions", "agent", "most frequent", "chance")
        title = "Demonstrated actions that are the agent's first choice, given the past"
        table = titled_table(title, "task", "split", *columns, right=columns)
        for choice in choices:
            shares = str(choice.agent), str(choice.most_frequent), f"{100 * choice.chance:.1f}%"
            table.add_row(choice.task, choice.split, f"{choice.agent.count:,}", *shares)
        tables.append(table)
    return tables


def _costs(one: TextTaskScore) -> tuple[str, str]:
    """Tokens and milliseconds of a decision, for people."""
    spent = one.tokens_per_decision, one.seconds_per_decision and one.seconds_per_decision.map(lambda seconds: 1000 * seconds)
    tokens, milliseconds = (each.words("{:,.0f}".format) if each else "-" for each in spent)
    return tokens, milliseconds


def acting_json(played: Sequence[TextTaskScore], choices: Sequence[ChoiceScore]) -> dict[str, Any]:
    """Every number with its counts and intervals."""
    return {
        "task_success": [_written(vars(one)) for one in played],
        "choices": [_written(vars(one)) for one in choices],
    }


def _written(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value.to_json() if isinstance(value, Proportion) else dict(vars(value)) if isinstance(value, Measured) else value
        for name, value in values.items()
    }


def text_outcomes(seeds: Sequence[int], played: Sequence[PlayedText | Failure]) -> dict[str, list[Any]]:
    """One entry per episode: its ``seed``, ``success``, last ``score``, ``length`` and ``actions``. Where an episode failed,
    ``failure`` says why (None for all others)."""
    ended = [one if isinstance(one, PlayedText) else None for one in played]
    found: dict[str, list[Any]] = {
        "seed": list(seeds),
        "success": [one.success for one in played],
        "score": [one.score if one else 0.0 for one in ended],
        "length": [len(one) if one else 0 for one in ended],
        "actions": [list(one.actions) if one else [] for one in ended],
    }
    reasons = [one.reason if isinstance(one, Failure) else None for one in played]
    return {**found, "failure": reasons} if any(reasons) else found
