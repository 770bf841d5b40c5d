"""The outcome of every episode, so that two policies can be compared episode by episode."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scipy.stats import binomtest

from anyorder.data.manifest import Failure
from anyorder.envs.played_text import PlayedText
from anyorder.errors import AnyOrderError
from anyorder.evaluation.statistics import Proportion
from anyorder.files import read_result
from anyorder.restoring import restored_from
from anyorder.types import Trajectory

OUTCOMES_FILE = "episodes.json"
PlayedEpisode = Trajectory | PlayedText | Failure
"""What became of an episode, in a grid or in words."""


@dataclass(frozen=True)
class FailedEpisode:
    """An episode that the environment broke off, or that could not be recorded. It counts as one without success.

    Attributes:
        arm: what was played: ``clean``, ``goals``, or the corruption.
        seed: of the environment.
        reason: the exception's name and message, or a sentence.
    """

    arm: str
    seed: int
    reason: str


def outcomes(played: Sequence[Trajectory | Failure]) -> dict[str, list[Any]]:
    """One entry per episode: its environment ``seed``, ``success``, summed ``reward``, ``length`` in actions, and the
    ``actions`` themselves: with the seed they are the whole episode (see `anyorder.report.replay`). An episode that failed
    has no actions; where there is one, ``failure`` says why (None for all others)."""
    rows = [(0.0, []) if isinstance(one, Failure) else (float(one.rewards.sum()), one.actions.tolist()) for one in played]
    found: dict[str, list[Any]] = {
        "seed": [one.seed for one in played],
        "success": [bool(one.success) for one in played],
        "reward": [reward for reward, _ in rows],
        "length": [len(actions) for _, actions in rows],
        "actions": [actions for _, actions in rows],
    }
    reasons = [one.reason if isinstance(one, Failure) else None for one in played]
    return {**found, "failure": reasons} if any(reasons) else found


def read_outcomes(path: Path) -> dict[str, list[Any]]:
    """What `outcomes` found, read back from a file; earlier ones lack ``reward`` or ``actions``.

    Raises:
        AnyOrderError: when the file is missing or damaged.
    """
    found = read_result(path)
    kept: _Outcomes = restored_from(_Outcomes, found, str(path), ANEW)
    if not len(kept.seed) == len(kept.success) == len(kept.length):
        raise AnyOrderError(f"{path} is damaged: it must have one seed, success and length per episode; {ANEW}")
    return dict(found)


ANEW = "make it anew with `anyorder evaluate`"


@dataclass(frozen=True)
class _Outcomes:
    seed: list[int]
    success: list[bool | None]
    length: list[int]
    reward: list[float] | None = None
    actions: list[list[int | str]] | None = None


def mcnemar(won: int, lost: int) -> float:
    """Two-sided p-value of the exact McNemar test: how probable it is that ``won + lost`` pairs split at least so unevenly if
    winning and losing are equally likely; 1 if there are no such pairs."""
    return float(binomtest(won, won + lost).pvalue) if won + lost else 1.0


def success(played: Sequence[PlayedEpisode]) -> Proportion:
    """The share of episodes that succeeded; one that failed did not, nor did one of which nobody says so."""
    return Proportion(sum(bool(one.success) for one in played), len(played))


def count_failures(failed: Sequence[FailedEpisode]) -> list[tuple[str, int, str]]:
    """Per arm: its name, how many of its episodes failed, and the most frequent reason."""
    by_arm: dict[str, Counter[str]] = {}
    for one in failed:
        by_arm.setdefault(one.arm, Counter())[one.reason] += 1
    return [(arm, reasons.total(), reasons.most_common(1)[0][0]) for arm, reasons in by_arm.items()]
