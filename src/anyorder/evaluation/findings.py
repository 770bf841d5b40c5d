"""What an evaluation found: one JSON for machines, tables for people."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Protocol

import numpy as np
from rich.table import Table

from anyorder.acting.rollout import finished
from anyorder.data.manifest import Failure
from anyorder.evaluation.goal_reaching import GoalScore
from anyorder.evaluation.likelihood import Scores
from anyorder.evaluation.mission_scores import MissionScore
from anyorder.evaluation.more_shown import ShownScore
from anyorder.evaluation.outcomes import FailedEpisode, success
from anyorder.evaluation.robustness import RobustnessScore
from anyorder.evaluation.statistics import Proportion
from anyorder.evaluation.tables import (
    accuracy_table,
    calibration_table,
    failure_table,
    goal_table,
    mission_table,
    nll_table,
    position_table,
    robustness_table,
    shown_table,
    task_table,
)
from anyorder.types import Trajectory


@dataclass(frozen=True)
class TaskScore:
    """How a policy did on a range of seeds.

    Attributes:
        success: share of the episodes that succeeded.
        mean_reward: mean of the episodes' summed rewards; without those that failed, as also in the length.
        mean_length: mean number of actions.
        seeds: first and last.
        bot_length: see `anyorder.evaluation.bot.bot_length`; None also in older results, which lack it.
    """

    success: Proportion
    mean_reward: float
    mean_length: float
    seeds: tuple[int, int]
    bot_length: float | None = None

    @classmethod
    def of(cls, played: Sequence[Trajectory | Failure], bot_length: float | None = None) -> TaskScore | None:
        """Score what was played on consecutive seeds; None where every episode failed."""
        if not (ended := finished(played)):
            return None
        rewards, lengths = [t.rewards.sum() for t in ended], [len(t) for t in ended]
        seeds = played[0].seed, played[-1].seed
        return cls(success(played), float(np.mean(rewards)), float(np.mean(lengths)), seeds, bot_length)


class Findings(Protocol):
    """What an evaluation found, of grids or of conversations."""

    @property
    def env_id(self) -> str:
        """Where episodes were played, or what the conversations are of."""

    def to_json(self) -> dict[str, Any]:
        """Every number with its counts and intervals."""

    def tables(self, metrics: Collection[str]) -> list[Table]:
        """For people; ``metrics`` are those that were asked for (see `anyorder.evaluation.evaluate.METRICS`)."""


@dataclass(frozen=True)
class GridFindings:
    """What an evaluation of grids found; a metric that was not asked for leaves its part empty.

    Attributes:
        env_id: where episodes were played.
        modes: scores of the test split, by what is asked. Three modes are of a world model and are never mixed:
            ``forward`` asks for every observation but the first, from its past; ``filtering`` asks for cells hidden at
            random, each from what is visible of its own observation and of its past (in long episodes, at some times:
            `anyorder.evaluation.modes.Filtering`); ``smoothing`` asks for the same hidden cells, and for actions, with
            past and future visible. Two modes are of actions: ``next_action`` asks for each from its own past,
            ``inverse_dynamics`` from its past and the next observation.
            ``forward_dynamics`` is ``forward``, measured together with ``inverse_dynamics``. ``waypoints`` asks for each
            observation between two that are eight steps apart.
        task_success: the episodes played on clean views.
        robustness: one score per kind of corruption, strength and form.
        goals: reaching the last observations of an expert.
        more_shown: the same questions from more and more context.
        missions: which instruction an episode followed.
        failures: the episodes that the environment broke off.
    """

    env_id: str
    modes: dict[str, Scores]
    task_success: TaskScore | None
    robustness: list[RobustnessScore]
    goals: GoalScore | None = None
    more_shown: list[ShownScore] = field(default_factory=list)
    missions: MissionScore | None = None
    failures: list[FailedEpisode] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Every number with its counts, intervals and seeds."""
        return as_plain(
            {
                "env_id": self.env_id,
                **self.modes,
                **({"task_success": self.task_success} if self.task_success else {}),
                **({"robustness": self.robustness} if self.robustness else {}),
                **({"goals": self.goals} if self.goals else {}),
                **({"more_shown": self.more_shown} if self.more_shown else {}),
                **({"missions": self.missions} if self.missions else {}),
                **({"failures": self.failures} if self.failures else {}),
            }
        )

    def tables(self, metrics: Collection[str]) -> list[Table]:
        """One table per metric (see `anyorder.evaluation.evaluate.METRICS`)."""
        shown: list[Table] = []
        if {"accuracy", "dynamics", "waypoints"} & set(metrics):
            shown.append(accuracy_table(self.modes))
        if "world_model_nll" in metrics:
            shown.append(nll_table(self.modes))
            shown.append(position_table(self.modes))
            shown.append(calibration_table(self.modes))
        if self.task_success:
            task = self.task_success
            shown.append(task_table(task.success, task.mean_reward, task.mean_length, task.seeds, task.bot_length))
        if self.robustness:
            shown.append(robustness_table(self.robustness))
        if self.goals:
            shown.append(goal_table(self.goals))
        if self.more_shown:
            shown.append(shown_table(self.more_shown))
        if self.missions:
            shown.append(mission_table(self.missions))
        if self.failures:
            shown.append(failure_table(self.failures))
        return shown


def as_plain(value: Any) -> Any:
    """Dataclasses as dictionaries, down to numbers and strings."""
    if isinstance(value, Proportion):
        return value.to_json()
    if is_dataclass(value):
        return {each.name: as_plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {name: as_plain(entry) for name, entry in value.items()}
    return [as_plain(entry) for entry in value] if isinstance(value, (list, tuple)) else value
