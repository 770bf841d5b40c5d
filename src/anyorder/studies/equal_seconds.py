"""Arms beside each other after equal seconds of training: the success that each had come to by then.

Runs are matched in updates; an update of one arm may take longer than one of another. So nothing is trained again: a curve of
success while training says what a run could do at each validation, and its seconds say when that was.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from anyorder.evaluation.statistics import Proportion
from anyorder.studies.runner import Outcome
from anyorder.studies.success_curve import SUCCESS
from anyorder.training.journal import read_metrics


def equal_seconds(entries: Sequence[tuple[str, Sequence[Outcome]]]) -> dict[str, Any] | None:
    """What the arms can do in the time that the quickest of them takes for its whole training.

    Args:
        entries: label -> outcomes, one per seed.

    Returns:
        ``seconds``, the least mean of an arm's trainings, and ``rows``: the ``label``, the ``seconds`` of its whole trainings
        (mean over the seeds), the ``updates`` of the last validation within the time (mean), and there ``success`` over all
        seeds and ``by_seed`` (``update``, ``rate``). None unless every run has episodes at its validations, and one of them
        in time. All updates of an arm count as equally long. What passes until the last update is done counts as training,
        validations and their episodes too.
    """
    outcomes = [outcome for _, own in entries for outcome in own]
    if not outcomes or not all(outcome.run.curve_episodes and "training_seconds" in outcome.effort for outcome in outcomes):
        return None
    present = [(label, own) for label, own in entries if own]
    seconds = min(_seconds(own) for _, own in present)
    rows = [_row(label, own, seconds) for label, own in present]
    return {"seconds": seconds, "rows": rows} if all(rows) else None


def _row(label: str, outcomes: Sequence[Outcome], seconds: float) -> dict[str, Any] | None:
    share = seconds / _seconds(outcomes)
    points = [point for outcome in outcomes if (point := _last_played(outcome, share * outcome.effort["updates"]))]
    if len(points) < len(outcomes):
        return None
    return {
        "label": label,
        "seconds": _seconds(outcomes),
        "updates": sum(point["update"] for point in points) / len(points),
        "success": _pooled([(point["rate"], outcome.run.curve_episodes) for point, outcome in zip(points, outcomes)]),
        "by_seed": points,
    }


def _seconds(outcomes: Sequence[Outcome]) -> float:
    return sum(outcome.effort["training_seconds"] for outcome in outcomes) / len(outcomes)


def _last_played(outcome: Outcome, updates: float) -> dict[str, float] | None:
    """The last validation with episodes that came within so many updates."""
    played = [record for record in read_metrics(outcome.run.folder) if record["update"] <= updates and SUCCESS in record]
    return {"update": played[-1]["update"], "rate": played[-1][SUCCESS]} if played else None


def _pooled(shares: Sequence[tuple[float, int]]) -> dict[str, Any]:
    return Proportion(sum(round(rate * count) for rate, count in shares), sum(count for _, count in shares)).to_json()
