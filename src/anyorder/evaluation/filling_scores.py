"""How sure a model was of what it filled in, and how often it was right."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from rich.table import Table as Printed

from anyorder.evaluation.calibration import ConfidenceSums
from anyorder.evaluation.statistics import Proportion
from anyorder.inference.bin_answers import NEAR_TRUTH
from anyorder.inference.filling import Table
from anyorder.terminal import titled_table
from anyorder.types import FILLED_MISSION, Trajectory, TrajectoryT


@dataclass(frozen=True)
class FillScore:
    """What became of the missing values of one attribute or field.

    Attributes:
        part: its name.
        num_filled: values that were filled in.
        num_absent: values that stay absent.
        expected_accuracy: mean of the probabilities of what was filled in; None where nothing was.
        right: how many of the filled values whose truth is known are right; None where none is. Elements of one trajectory are
            not independent, so the interval is too narrow.
        calibration_error: expected calibration error (`anyorder.evaluation.calibration.Calibration`) of the same values.
    """

    part: str
    num_filled: int
    num_absent: int
    expected_accuracy: float | None
    right: Proportion | None
    calibration_error: float | None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "right": None if self.right is None else self.right.to_json()}


class _Counts:
    """Of one part."""

    def __init__(self) -> None:
        self.filled = self.absent = self.known = self.right = 0
        self.sure = 0.0
        self.confidence = ConfidenceSums()

    def score(self, name: str) -> FillScore:
        expected = self.sure / self.filled if self.filled else None
        if not self.known:
            return FillScore(name, self.filled, self.absent, expected, None, None)
        error = self.confidence.calibration().expected_calibration_error
        return FillScore(name, self.filled, self.absent, expected, Proportion(self.right, self.known), error)


def fill_scores(table: Table[TrajectoryT], pairs: Iterable[tuple[TrajectoryT, TrajectoryT | None]]) -> list[FillScore]:
    """The score of each part of which something was missing.

    Args:
        table: reads the trajectories.
        pairs: trajectories in which values were filled in, each with the true trajectory where that is known.
    """
    counts: dict[int, _Counts] = defaultdict(_Counts)
    for one, truth in pairs:
        sure, lost = table.marks(one), table.missing(one)
        known = table.recorded(truth) if truth is not None else np.full(sure.shape, np.nan)
        right = np.abs(table.recorded(one) - known) <= table.tolerance
        for number in np.unique(table.part[(sure > 0).any(axis=0) | lost.any(axis=0)]).tolist():
            own, found = table.part == number, counts[number]
            filled = sure[:, own] > 0
            judged = filled & ~np.isnan(known[:, own])
            found.filled += int(filled.sum())
            found.absent += int(lost[:, own].sum())
            found.sure += float(sure[:, own][filled].sum())
            found.known += int(judged.sum())
            found.right += int(right[:, own][judged].sum())
            if judged.any():
                found.confidence.add(torch.from_numpy(sure[:, own][judged]), torch.from_numpy(right[:, own][judged]))
    return [counts[number].score(table.names[number]) for number in sorted(counts)]


def mission_fill_score(pairs: Iterable[tuple[Trajectory, Any]]) -> FillScore:
    """The score of the missions that a model filled in, and of those that stay absent; ``pairs`` as in `fill_scores`."""
    counts = _Counts()
    for one, truth in pairs:
        sure = one.filled.get(FILLED_MISSION)
        counts.absent += not one.mission
        if sure is None:
            continue
        counts.filled += 1
        counts.sure += float(sure[0])
        if truth is not None and truth.mission:
            right = one.mission == truth.mission
            counts.known += 1
            counts.right += right
            counts.confidence.add(torch.tensor([float(sure[0])]), torch.tensor([right]))
    return counts.score(FILLED_MISSION)


def fill_table(scores: Iterable[FillScore]) -> Printed:
    """For people."""
    columns = ("filled", "still absent", "expected accuracy", "true accuracy", "calibration error")
    title = f"What was missing; a real number is right within {NEAR_TRUTH:g} standard deviations"
    table = titled_table(title, "part", *columns, right=columns)
    for one in scores:
        table.add_row(
            one.part,
            f"{one.num_filled:,}",
            f"{one.num_absent:,}",
            "" if one.expected_accuracy is None else f"{one.expected_accuracy:.1%}",
            "unknown" if one.right is None else str(one.right),
            "" if one.calibration_error is None else f"{one.calibration_error:.1%}",
        )
    return table
