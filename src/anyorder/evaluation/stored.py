"""Findings of earlier evaluations, read back from ``metrics.json``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from anyorder.errors import AnyOrderError
from anyorder.evaluation.evaluate import EvaluationConfig
from anyorder.evaluation.findings import GridFindings, TaskScore
from anyorder.evaluation.goal_reaching import GoalScore
from anyorder.evaluation.likelihood import Scores
from anyorder.evaluation.outcomes import FailedEpisode
from anyorder.evaluation.robustness import RobustnessScore
from anyorder.files import read_json

NOT_MODES = ("config", "env_id", "task_success", "robustness", "goals", "failures")


def read_findings(path: Path) -> tuple[GridFindings, EvaluationConfig]:
    """What an evaluation found, and what it was asked.

    Raises:
        AnyOrderError: when the file is missing or damaged, or holds other figures than this version writes.
    """
    content = read_json(path)
    try:
        return findings_from(content), EvaluationConfig(**content["config"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise AnyOrderError(
            f"{path} is damaged or of another version ({type(error).__name__}: {error}); make it anew with `anyorder evaluate`"
        ) from None


def findings_from(content: Mapping[str, Any]) -> GridFindings:
    """The opposite of `GridFindings.to_json`.

    Raises:
        KeyError, TypeError, ValueError: when something is missing or is not what it should be.
    """
    return GridFindings(
        env_id=content["env_id"],
        modes=restored(dict[str, Scores], {name: value for name, value in content.items() if name not in NOT_MODES}),
        task_success=restored(TaskScore | None, content.get("task_success")),
        robustness=restored(list[RobustnessScore], content.get("robustness", [])),
        goals=restored(GoalScore | None, content.get("goals")),
        failures=restored(list[FailedEpisode], content.get("failures", [])),
    )


def restored(kind: Any, value: Any) -> Any:
    """A value of a type, from plain JSON.

    Args:
        kind: a dataclass (further keys in the JSON are ignored), a list, tuple or dictionary, a union of one of these with
            None, a number or a string.
        value: what JSON holds for it.

    Raises:
        KeyError, TypeError, ValueError: when something is missing or is not what it should be.
    """
    if isinstance(kind, type) and is_dataclass(kind):
        hints = get_type_hints(kind)
        given = [field.name for field in fields(kind) if field.name in value or field.default is MISSING]
        return kind(**{name: restored(hints[name], value[name]) for name in given})
    arguments = get_args(kind)
    if type(None) in arguments:
        return None if value is None else restored(next(a for a in arguments if a is not type(None)), value)
    if get_origin(kind) is dict:
        return {name: restored(arguments[1], entry) for name, entry in value.items()}
    if get_origin(kind) is list:
        return [restored(arguments[0], entry) for entry in value]
    if get_origin(kind) is tuple:
        return tuple(restored(argument, entry) for argument, entry in zip(arguments, value, strict=True))
    if not isinstance(value, (int, float) if kind is float else kind):
        raise ValueError(f"expected {kind.__name__}, found {value!r}")
    return value
