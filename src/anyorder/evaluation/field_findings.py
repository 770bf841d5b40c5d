"""What an evaluation on trajectories of any environment found: one JSON for machines, tables for people."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.table import Table

from anyorder.evaluation.evaluate import EvaluationConfig
from anyorder.evaluation.field_acting import FieldRobustness, PlayedScore
from anyorder.evaluation.field_goal_reaching import FieldGoalScore
from anyorder.evaluation.field_scores import FieldScores
from anyorder.evaluation.field_tables import (
    category_table,
    field_calibration_table,
    field_goal_table,
    field_robustness_table,
    number_error_table,
    number_nats_table,
    played_table,
)
from anyorder.evaluation.findings import as_plain
from anyorder.evaluation.more_shown import ShownScore
from anyorder.evaluation.outcomes import FailedEpisode
from anyorder.evaluation.stored import read_evaluation
from anyorder.evaluation.tables import failure_table, shown_table
from anyorder.restoring import restored


@dataclass(frozen=True)
class FieldFindings:
    """What an evaluation found; a metric that was not asked for leaves its part empty.

    Attributes:
        env_id: where episodes were played.
        modes: scores of the test split, by what is asked: those of `anyorder.evaluation.findings.GridFindings`.
        task_success: the episodes that the agent played.
        demonstrations: those of the training split.
        robustness: one score per kind of corruption and strength.
        goals: reaching the last observations of an expert.
        more_shown: the same questions from more and more context.
        failures: the episodes that the environment broke off.
    """

    env_id: str
    modes: dict[str, FieldScores] = field(default_factory=dict)
    task_success: PlayedScore | None = None
    demonstrations: PlayedScore | None = None
    robustness: list[FieldRobustness] = field(default_factory=list)
    goals: FieldGoalScore | None = None
    more_shown: list[ShownScore] = field(default_factory=list)
    failures: list[FailedEpisode] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Every number with its counts, intervals and seeds."""
        others = {name: getattr(self, name) for name in OTHER_FINDINGS}
        return as_plain({"env_id": self.env_id, **self.modes, **{name: one for name, one in others.items() if one}})

    def tables(self, metrics: Collection[str]) -> list[Table]:
        """One table per metric (see `anyorder.evaluation.evaluate.METRICS`) and kind of field."""
        shown: list[Table] = []
        if self.task_success and self.demonstrations:
            shown.append(played_table({"agent": self.task_success, "demonstrations": self.demonstrations}))
        if self.robustness:
            shown.append(field_robustness_table(self.robustness))
        if self.goals:
            shown.append(field_goal_table(self.goals))
        if self.more_shown:
            shown.append(shown_table(self.more_shown))
        if {"accuracy", "dynamics", "waypoints", "world_model_nll"} & set(metrics):
            shown.append(category_table(self.modes))
            shown.append(number_error_table(self.modes))
        if "world_model_nll" in metrics:
            shown += [number_nats_table(self.modes), field_calibration_table(self.modes)]
        if self.failures:
            shown.append(failure_table(self.failures))
        return [table for table in shown if table.rows]


OTHER_FINDINGS = ("task_success", "demonstrations", "robustness", "goals", "more_shown", "failures")


def read_field_findings(path: Path) -> tuple[FieldFindings, EvaluationConfig]:
    """What an evaluation found, and what it was asked; raises as `read_evaluation`."""
    return read_evaluation(path, _findings)


def _findings(content: Mapping[str, Any]) -> FieldFindings:
    others = {name: value for name, value in content.items() if name in (*OTHER_FINDINGS, "env_id")}
    modes = {name: value for name, value in content.items() if name not in (*others, "config")}
    return restored(FieldFindings, {**others, "modes": modes})
