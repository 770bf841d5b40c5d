"""How an agent did in any environment: its return, its success where the environment speaks of it, and how much of both it
keeps when its observations are corrupted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from anyorder.data.manifest import Failure
from anyorder.evaluation.outcomes import mcnemar
from anyorder.evaluation.robustness import RobustnessArm
from anyorder.evaluation.statistics import ItemSums, Measured, Proportion
from anyorder.types import FieldTrajectory

PlayedEpisodes = Sequence[FieldTrajectory | Failure]


@dataclass(frozen=True)
class PlayedScore:
    """How a policy did in some episodes.

    Attributes:
        num_episodes: how many, those that failed included.
        seeds: first and last.
        mean_return: mean of the episodes' summed rewards; without those that failed, as also in the length.
        mean_length: mean number of actions.
        success: share of the episodes that succeeded, where the environment speaks of success; one that failed did not.
        normalised: the return as Minari and D4RL give it: 0 is that of random actions, 100 that of an expert; None where
            these are not known.
    """

    num_episodes: int
    seeds: tuple[int, int]
    mean_return: Measured
    mean_length: Measured
    success: Proportion | None = None
    normalised: Measured | None = None

    @classmethod
    def of(cls, played: PlayedEpisodes, references: tuple[float, float] | None = None) -> PlayedScore | None:
        """Score episodes; None where all failed. ``references`` are the returns of random actions and of an expert."""
        ended = [one for one in played if isinstance(one, FieldTrajectory)]
        if not ended:
            return None
        returns = mean_of(returns_of(ended))
        normalised = None
        if references is not None:
            low, high = references
            normalised = returns.map(lambda value: 100 * (value - low) / (high - low))
        return cls(
            num_episodes=len(played),
            seeds=(played[0].seed, played[-1].seed),
            mean_return=returns,
            mean_length=mean_of([len(one) for one in ended]),
            success=success_of(played),
            normalised=normalised,
        )


def returns_of(ended: Sequence[FieldTrajectory]) -> list[float]:
    """The summed rewards of each episode."""
    return [float(one.rewards.sum()) for one in ended]


def mean_of(values: Sequence[float]) -> Measured:
    """The mean over episodes, with its bootstrap interval."""
    items = ItemSums(len(values), np.random.default_rng(0))
    return items.ratio(np.asarray(values, np.float64), np.ones(len(values)))


def success_of(played: PlayedEpisodes) -> Proportion | None:
    """The share that succeeded; None unless the environment says so of every episode that did not fail."""
    said = [one.success for one in played]
    if all(isinstance(one, Failure) or one.success is None for one in played):
        return None
    return Proportion(sum(bool(one) for one in said), len(said))


@dataclass(frozen=True)
class FieldRobustness:
    """Episodes with and without a corruption, on the same seeds.

    Attributes:
        kind, strength, form: see `anyorder.acting.field_corruptions`.
        clean, corrupted: the scores of both.
        difference: mean of the corrupted return less the clean one, paired by episode.
        won, lost: episodes that succeeded in the corrupted arm alone, in the clean arm alone; None where the environment says
            nothing of success.
        p_value: of the hypothesis that winning and losing are equally likely (exact McNemar test, two-sided).
    """

    kind: str
    strength: float
    form: str
    clean: PlayedScore
    corrupted: PlayedScore
    difference: Measured
    won: int | None = None
    lost: int | None = None
    p_value: float | None = None

    @classmethod
    def of(
        cls, arm: RobustnessArm, clean: PlayedEpisodes, corrupted: PlayedEpisodes, references: tuple[float, float] | None
    ) -> FieldRobustness | None:
        """Compare episode by episode; None where no episode was played to its end in both arms."""
        scores = PlayedScore.of(clean, references), PlayedScore.of(corrupted, references)
        both = [
            (before, after)
            for before, after in zip(clean, corrupted, strict=True)
            if isinstance(before, FieldTrajectory) and isinstance(after, FieldTrajectory)
        ]
        if scores[0] is None or scores[1] is None or not both:
            return None
        difference = mean_of([float(after.rewards.sum() - before.rewards.sum()) for before, after in both])
        paired: dict[str, Any] = {}
        if scores[0].success is not None:
            won = sum(bool(after.success) and not before.success for before, after in zip(clean, corrupted))
            lost = sum(bool(before.success) and not after.success for before, after in zip(clean, corrupted))
            paired = {"won": won, "lost": lost, "p_value": mcnemar(won, lost)}
        return cls(arm.kind, arm.strength, arm.form, scores[0], scores[1], difference, **paired)


def played_outcomes(played: PlayedEpisodes) -> Mapping[str, list[Any]]:
    """One entry per episode: its environment ``seed``, ``success`` (None where the environment says nothing), summed ``reward``
    and ``length`` in actions. Where an episode failed, ``failure`` says why (None for all others)."""
    found: dict[str, list[Any]] = {
        "seed": [one.seed for one in played],
        "success": [one.success for one in played],
        "reward": [0.0 if isinstance(one, Failure) else float(one.rewards.sum()) for one in played],
        "length": [0 if isinstance(one, Failure) else len(one) for one in played],
    }
    reasons = [one.reason if isinstance(one, Failure) else None for one in played]
    return {**found, "failure": reasons} if any(reasons) else found
