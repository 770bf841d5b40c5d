"""How much of its success a policy keeps when something goes wrong between it and the environment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from anyorder.acting.corruptions import CORRUPTIONS, Corruption, Untold
from anyorder.acting.policy import SampledPolicy
from anyorder.acting.rebuilding import RebuildingPolicy
from anyorder.acting.rollout import failures_among, roll_out
from anyorder.acting.stepwise import quickest_policy
from anyorder.data.manifest import Failure
from anyorder.errors import AnyOrderError
from anyorder.evaluation.outcomes import PlayedEpisode, mcnemar, success
from anyorder.evaluation.statistics import Proportion
from anyorder.models.contract import GridModel
from anyorder.types import Trajectory


@dataclass(frozen=True)
class Form:
    """How much the agent is told about a corruption, and how it acts on it.

    Attributes:
        policy: makes the policy that plays; it takes the arguments of `SampledPolicy`.
        tell: turns a corruption into one that tells the agent as much as this form does.
        words: what tables say about the agent.
    """

    policy: Callable[[GridModel, float, int, float], SampledPolicy[Any]]
    tell: Callable[[Corruption], Corruption]
    words: str


FORMS: Mapping[str, Form] = {
    "untold": Form(quickest_policy, Untold, "not told"),
    "told": Form(quickest_policy, lambda corruption: corruption, "told what is unknown"),
    "rebuilt": Form(RebuildingPolicy, lambda corruption: corruption, "told, and rebuilds it first"),
}
"""``untold``: the agent takes what it sees, and what it did, for true. ``told``: what was corrupted is HIDDEN from it.
``rebuilt``: before it acts, it also rebuilds what is hidden from the history."""


@dataclass(frozen=True)
class RobustnessArm:
    """One way of playing the episodes.

    Attributes:
        kind: of corruption, one of `CORRUPTIONS`.
        strength: of the corruption, a probability.
        form: one of `FORMS`.
    """

    kind: str
    strength: float
    form: str

    def __str__(self) -> str:
        return f"{self.kind.replace('_', ' ')} {self.strength:g}, {self.form}"


def robustness_arms(
    strengths: Mapping[str, Sequence[float]],
    forms: Iterable[str],
    kinds: Iterable[str] = CORRUPTIONS,
    known_forms: Iterable[str] = FORMS,
) -> list[RobustnessArm]:
    """One arm per kind, strength and form; ``kinds`` and ``known_forms`` are those that there are.

    Raises:
        AnyOrderError: for an unknown kind or form, or an impossible strength.
    """
    forms = list(forms)
    for what, found, known in (("kinds", strengths, list(kinds)), ("forms", forms, list(known_forms))):
        if unknown := [name for name in found if name not in known]:
            raise AnyOrderError(f"the {what} of robustness must be among {', '.join(known)}; found {', '.join(unknown)}")
    planned = [RobustnessArm(kind, rate, form) for kind, rates in strengths.items() for rate in rates for form in forms]
    for arm in planned:
        if not 0.0 <= arm.strength <= 1.0:
            raise AnyOrderError(f"a strength must lie between 0 and 1; found {arm.strength} of {arm.kind}")
    return planned


@dataclass(frozen=True)
class RobustnessAgent:
    """The agent whose robustness is measured.

    Attributes:
        model: in evaluation mode.
        temperature, seed, tried_penalty: of its actions, see `SampledPolicy`; every arm starts with the same seed.
    """

    model: GridModel
    temperature: float = 0.0
    seed: int = 0
    tried_penalty: float = 0.0

    def play(
        self, arm: RobustnessArm, env_id: str, seeds: Sequence[int], on_finish: Callable[[], None] | None = None
    ) -> list[Trajectory | Failure]:
        """The episodes of an arm, in the order of the seeds; arguments as in `roll_out`."""
        form = FORMS[arm.form]
        policy = form.policy(self.model, self.temperature, self.seed, self.tried_penalty)
        return roll_out(policy, env_id, seeds, form.tell(CORRUPTIONS[arm.kind](arm.strength)), on_finish)


@dataclass(frozen=True)
class RobustnessScore:
    """Success with and without a corruption, on the same seeds.

    Attributes:
        kind, strength, form: of the corruption, see `RobustnessArm`.
        seeds: first and last, the same in both arms.
        clean, corrupted: success of the two arms.
        share_kept: corrupted / clean success rate; None if there was no clean success to keep.
        won: episodes that succeeded in the corrupted arm alone.
        lost: episodes that succeeded in the clean arm alone.
        p_value: of the hypothesis that winning and losing are equally likely (exact McNemar test, two-sided).
    """

    kind: str
    strength: float
    form: str
    seeds: tuple[int, int]
    clean: Proportion
    corrupted: Proportion
    share_kept: float | None
    won: int
    lost: int
    p_value: float

    @classmethod
    def of(cls, arm: RobustnessArm, clean: Sequence[PlayedEpisode], corrupted: Sequence[PlayedEpisode]) -> RobustnessScore:
        """Compare two arms episode by episode; one that failed had no success.

        Raises:
            ValueError: if they did not play the same levels.
        """
        if len(clean) != len(corrupted) or not all(map(_of_one_level, clean, corrupted)):
            raise ValueError("both arms must play the same seeds of one environment with the same missions; found others")
        before, after = success(clean), success(corrupted)
        won = sum(bool(c.success) and not t.success for t, c in zip(clean, corrupted))
        lost = sum(bool(t.success) and not c.success for t, c in zip(clean, corrupted))
        return cls(
            kind=arm.kind,
            strength=arm.strength,
            form=arm.form,
            seeds=(clean[0].seed, clean[-1].seed),
            clean=before,
            corrupted=after,
            share_kept=after.rate / before.rate if before.successes else None,
            won=won,
            lost=lost,
            p_value=mcnemar(won, lost),
        )


def _of_one_level(one: PlayedEpisode, other: PlayedEpisode) -> bool:
    if isinstance(one, Failure) or isinstance(other, Failure):
        return one.seed == other.seed
    return (one.env_id, one.seed, one.mission) == (other.env_id, other.seed, other.mission)


def compare(
    agent: RobustnessAgent,
    clean: Sequence[Trajectory | Failure],
    arm: RobustnessArm,
    env_id: str,
    on_finish: Callable[[], None] | None = None,
    on_failure: Callable[[Failure], None] = lambda failure: None,
) -> RobustnessScore:
    """Play the clean arm's seeds again, corrupted.

    Args:
        agent: the one that played ``clean``.
        clean: its episodes without corruption.
        arm: the corruption, and what the agent is told about it.
        env_id: where ``clean`` was played, see `roll_out`.
        on_finish: called once per finished episode.
        on_failure: called with each episode that failed.
    """
    played = agent.play(arm, env_id, [one.seed for one in clean], on_finish)
    for failure in failures_among(played):
        on_failure(failure)
    return RobustnessScore.of(arm, clean, played)
