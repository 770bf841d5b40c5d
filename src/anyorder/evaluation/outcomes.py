"""The outcome of every episode, so that two policies can be compared episode by episode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scipy.stats import binomtest

from anyorder.errors import AnyOrderError
from anyorder.evaluation.statistics import Proportion
from anyorder.files import read_json
from anyorder.restoring import restored_from
from anyorder.types import Trajectory

OUTCOMES_FILE = "episodes.json"


def outcomes(trajectories: Sequence[Trajectory]) -> dict[str, list[Any]]:
    """One entry per episode: its environment ``seed``, ``success``, summed ``reward``, ``length`` in actions, and the
    ``actions`` themselves: with the seed they are the whole episode (see `anyorder.report.replay`)."""
    return {
        "seed": [trajectory.seed for trajectory in trajectories],
        "success": [bool(trajectory.success) for trajectory in trajectories],
        "reward": [float(trajectory.rewards.sum()) for trajectory in trajectories],
        "length": [len(trajectory) for trajectory in trajectories],
        "actions": [trajectory.actions.tolist() for trajectory in trajectories],
    }


def read_outcomes(path: Path) -> dict[str, list[Any]]:
    """What `outcomes` found, read back from a file; earlier ones lack ``reward`` or ``actions``.

    Raises:
        AnyOrderError: when the file is missing or damaged.
    """
    found = read_json(path)
    kept: _Outcomes = restored_from(_Outcomes, found, str(path), ANEW)
    if not len(kept.seed) == len(kept.success) == len(kept.length):
        raise AnyOrderError(f"{path} is damaged: it must have one seed, success and length per episode; {ANEW}")
    return dict(found)


ANEW = "make it anew with `anyorder evaluate`"


@dataclass(frozen=True)
class _Outcomes:
    seed: list[int]
    success: list[bool]
    length: list[int]
    reward: list[float] | None = None
    actions: list[list[int]] | None = None


def mcnemar(won: int, lost: int) -> float:
    """Two-sided p-value of the exact McNemar test: how probable it is that ``won + lost`` pairs split at least so unevenly if
    winning and losing are equally likely; 1 if there are no such pairs."""
    return float(binomtest(won, won + lost).pvalue) if won + lost else 1.0


def success(trajectories: Sequence[Trajectory]) -> Proportion:
    """The share of episodes that succeeded."""
    return Proportion(sum(trajectory.success for trajectory in trajectories), len(trajectories))
