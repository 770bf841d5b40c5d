"""Findings of earlier evaluations, read back from ``metrics.json``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from anyorder.errors import AnyOrderError
from anyorder.evaluation.evaluate import EvaluationConfig
from anyorder.evaluation.findings import GridFindings, TaskScore
from anyorder.evaluation.goal_reaching import GoalScore
from anyorder.evaluation.likelihood import Scores
from anyorder.evaluation.mission_scores import MissionScore
from anyorder.evaluation.more_shown import ShownScore
from anyorder.evaluation.outcomes import FailedEpisode
from anyorder.evaluation.robustness import RobustnessScore
from anyorder.files import read_result
from anyorder.parsing import brief
from anyorder.restoring import restored

FoundT = TypeVar("FoundT")
NOT_MODES = ("config", "env_id", "task_success", "robustness", "goals", "more_shown", "missions", "failures")


def read_findings(path: Path) -> tuple[GridFindings, EvaluationConfig]:
    """What an evaluation of grids found, and what it was asked; raises as `read_evaluation`."""
    return read_evaluation(path, findings_from)


def read_evaluation(path: Path, findings_of: Callable[[Mapping[str, Any]], FoundT]) -> tuple[FoundT, EvaluationConfig]:
    """What an evaluation found, and what it was asked.

    Args:
        path: of ``metrics.json``.
        findings_of: makes the findings of what the file holds.

    Raises:
        AnyOrderError: when the file is missing or damaged, or holds other figures than this version writes.
    """
    content = read_result(path)
    try:
        asked = restored(dict[str, Any], content["config"], "config")
        restored(EvaluationConfig, asked, "config")
        return findings_of(content), EvaluationConfig(**asked)
    except (AnyOrderError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise AnyOrderError(
            f"{path} is damaged or of another version ({type(error).__name__}: {brief(error)}); make it anew with"
            " `anyorder evaluate`"
        ) from None


def findings_from(content: Mapping[str, Any]) -> GridFindings:
    """The opposite of `GridFindings.to_json`.

    Raises:
        KeyError, TypeError, ValueError: when something is missing or is not what it should be.
    """
    return GridFindings(
        env_id=restored(str, content["env_id"], "env_id"),
        modes=restored(dict[str, Scores], {name: value for name, value in content.items() if name not in NOT_MODES}),
        task_success=restored(TaskScore | None, content.get("task_success")),
        robustness=restored(list[RobustnessScore], content.get("robustness", [])),
        goals=restored(GoalScore | None, content.get("goals")),
        more_shown=restored(list[ShownScore], content.get("more_shown", [])),
        missions=restored(MissionScore | None, content.get("missions")),
        failures=restored(list[FailedEpisode], content.get("failures", [])),
    )
