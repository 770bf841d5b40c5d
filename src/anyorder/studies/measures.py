"""What a study reads from its runs: scores of one arm over its seeds, and how two arms differ.

Legend: S training seeds, N episodes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from anyorder.envs.splits import split_of_seed
from anyorder.evaluation.statistics import (
    Estimate,
    Proportion,
    mean_over_seeds,
    mean_over_seeds_and_items,
    success_difference,
)
from anyorder.studies.field_measures import FIELD_FIGURES
from anyorder.studies.promises import lookup
from anyorder.studies.runner import OWN_LEVEL, Outcome
from anyorder.studies.text_measures import TEST, TEXT_NLLS, TEXT_SHARES, demonstrated_choices, success_share


class Measure(Protocol):
    """One column of a study's tables. The outcomes that it gets belong to one arm, one level and one size: one per seed, none
    failed."""

    @property
    def name(self) -> str:
        """Of the column."""

    @property
    def higher_is_better(self) -> bool:
        """True if a larger figure is the better one."""

    def score(self, outcomes: Sequence[Outcome]) -> dict[str, Any] | None:
        """The figure over all outcomes, with ``text`` for people; None if a run has no such figure."""

    def difference(self, outcomes: Sequence[Outcome], reference: Sequence[Outcome]) -> Estimate | None:
        """The figure of ``outcomes`` less that of ``reference``, which has the same seeds in the same order; None as in
        `score`."""

    def show(self, difference: Estimate) -> str:
        """A difference as text for people."""


@dataclass(frozen=True)
class Share:
    """A proportion that runs store only as counts. Differences are paired by seed, with Student's interval over seeds.

    Attributes:
        name: of the column.
        path: dotted path of the proportion in ``metrics.json``; or a function that finds it in the whole file.
    """

    name: str
    path: str | Callable[[dict[str, Any]], dict[str, Any] | None]
    higher_is_better: bool = True

    def score(self, outcomes: Sequence[Outcome]) -> dict[str, Any] | None:
        return _pooled([self._found(outcome) for outcome in outcomes])

    def difference(self, outcomes: Sequence[Outcome], reference: Sequence[Outcome]) -> Estimate | None:
        found = [(self._found(ours), self._found(theirs)) for ours, theirs in zip(outcomes, reference, strict=True)]
        pairs = [(ours, theirs) for ours, theirs in found if ours and theirs]
        if len(pairs) < len(found):
            return None
        return mean_over_seeds(np.array([ours["rate"] - theirs["rate"] for ours, theirs in pairs]))

    def show(self, difference: Estimate) -> str:
        return in_points(difference)

    def _found(self, outcome: Outcome) -> dict[str, Any] | None:
        metrics = outcome.metrics[OWN_LEVEL]
        return self.path(metrics) if callable(self.path) else lookup(metrics, self.path)


@dataclass(frozen=True)
class Success:
    """Task success. Differences are paired by seed and episode.

    Attributes:
        name: of the column.
        env: where episodes were played: an environment that the runs have not seen, or `OWN_LEVEL`.
    """

    name: str
    env: str = OWN_LEVEL
    higher_is_better: bool = True

    def score(self, outcomes: Sequence[Outcome]) -> dict[str, Any] | None:
        return _pooled([success_share(outcome.metrics.get(self.env, {})) for outcome in outcomes])

    def difference(self, outcomes: Sequence[Outcome], reference: Sequence[Outcome]) -> Estimate | None:
        pair = _paired(outcomes, reference, self.env, "success")
        return success_difference(*pair, _generator()) if pair else None

    def show(self, difference: Estimate) -> str:
        return in_points(difference)


@dataclass(frozen=True)
class EpisodeMean:
    """The mean of a figure that every episode has. Intervals are bootstrapped over seeds and episodes, differences
    paired by both.

    Attributes:
        name: of the column.
        key: name of the figure in ``episodes.json``.
    """

    name: str
    key: str
    higher_is_better: bool

    def score(self, outcomes: Sequence[Outcome]) -> dict[str, Any] | None:
        pair = _paired(outcomes, outcomes, OWN_LEVEL, self.key)
        return _with_text(mean_over_seeds_and_items(pair[0], _generator())) if pair else None

    def difference(self, outcomes: Sequence[Outcome], reference: Sequence[Outcome]) -> Estimate | None:
        pair = _paired(outcomes, reference, OWN_LEVEL, self.key)
        return mean_over_seeds_and_items(pair[0] - pair[1], _generator()) if pair else None

    def show(self, difference: Estimate) -> str:
        return in_numbers(difference, "+")


@dataclass(frozen=True)
class NumberMeasure:
    """A plain figure of each run, with Student's interval over seeds.

    Attributes:
        name: of the column.
        path: dotted path in ``metrics.json``.
    """

    name: str
    path: str
    higher_is_better: bool = False

    def score(self, outcomes: Sequence[Outcome]) -> dict[str, Any] | None:
        found = self._found(outcomes)
        return _with_text(mean_over_seeds(found)) if found is not None else None

    def difference(self, outcomes: Sequence[Outcome], reference: Sequence[Outcome]) -> Estimate | None:
        ours, theirs = self._found(outcomes), self._found(reference)
        return mean_over_seeds(ours - theirs) if ours is not None and theirs is not None else None

    def show(self, difference: Estimate) -> str:
        return in_numbers(difference, "+")

    def _found(self, outcomes: Sequence[Outcome]) -> np.ndarray | None:
        found = [lookup(outcome.metrics[OWN_LEVEL], self.path) for outcome in outcomes]
        return np.array(found, dtype=float) if found and all(value is not None for value in found) else None


SHARES = {
    "task success": "task_success.success",
    "next action": "next_action.groups.action.accuracy",
    "hidden actions": "smoothing.groups.action.accuracy",
    "hidden cells": "smoothing.groups.cell.accuracy",
    "hidden object cells": "smoothing.groups.object_cell.accuracy",
    "hidden object cells, of the knowable": "smoothing.groups.object_cell.right_of_knowable",
    "hidden changed cells": "smoothing.groups.changed_cell.accuracy",
    "inverse dynamics": "inverse_dynamics.groups.action.accuracy",
    "forward dynamics, changed cells": "forward_dynamics.groups.changed_cell.accuracy",
    "goals reached": "goals.success",
}
"""Column -> where a run's metrics hold the proportion."""

NLLS = {
    "next action NLL": "next_action.groups.action.nll_per_element",
    "forward NLL, changed cells": "forward.groups.changed_cell.nll_per_element",
    "filtering NLL, changed cells": "filtering.groups.changed_cell.nll_per_element",
    "smoothing NLL, changed cells": "smoothing.groups.changed_cell.nll_per_element",
}
"""Column -> where a run's metrics hold the NLL, in nats per element."""


def measures(outcomes: Sequence[Outcome]) -> list[Measure]:
    """One measure for each figure that any of these runs may have."""
    unseen = dict.fromkeys(env for outcome in outcomes for env in outcome.metrics if env != OWN_LEVEL)
    corrupted = dict.fromkeys(
        _corruption(entry) for outcome in outcomes for entry in outcome.metrics[OWN_LEVEL].get("robustness", ())
    )
    return [
        Success("task success"),
        EpisodeMean("reward", "reward", higher_is_better=True),
        EpisodeMean("score", "score", higher_is_better=True),
        EpisodeMean("length", "length", higher_is_better=False),
        *(Share(name, path) for name, path in SHARES.items() if name != "task success"),
        *(NumberMeasure(name, path) for name, path in NLLS.items()),
        *FIELD_FIGURES,
        Share("demonstrated action chosen", demonstrated_choices),
        *(Share(name, path) for name, path in TEXT_SHARES.items()),
        *(NumberMeasure(name, path) for name, path in TEXT_NLLS.items()),
        *(Share(f"success, {name}", _Corrupted(name)) for name in corrupted),
        *(Success(f"success on {env}", env) for env in unseen),
    ]


@dataclass(frozen=True)
class _Corrupted:
    """Success under one corruption, in a run's metrics."""

    name: str

    def __call__(self, metrics: Mapping[str, Any]) -> dict[str, Any] | None:
        found = (entry["corrupted"] for entry in metrics.get("robustness", ()) if _corruption(entry) == self.name)
        return next(found, None)


def _corruption(entry: Mapping[str, Any]) -> str:
    return f"{entry['kind'].replace('_', ' ')} {entry['strength']:g} {entry['form']}"


def in_points(difference: Estimate) -> str:
    """A difference of shares in percentage points: ``+1.2 [-0.3, 2.7]``."""
    return in_numbers(Estimate(100 * difference.value, 100 * difference.low, 100 * difference.high), "+", 1)


def in_numbers(estimate: Estimate, sign: str = "", digits: int = 3) -> str:
    """``0.123 [0.100, 0.150]``, or the number alone where there is no interval."""
    number = f"{estimate.value:{sign}.{digits}f}"
    return f"{number} [{estimate.low:.{digits}f}, {estimate.high:.{digits}f}]" if estimate.is_bounded else number


def _pooled(shares: Sequence[dict[str, Any] | None]) -> dict[str, Any] | None:
    """Successes and counts added up over the seeds."""
    known = [share for share in shares if share]
    if not known or len(known) < len(shares):
        return None
    whole = Proportion(sum(share["successes"] for share in known), sum(share["count"] for share in known))
    return {**whole.to_json(), "text": str(whole)}


def _with_text(estimate: Estimate) -> dict[str, Any]:
    return {**estimate.to_json(), "text": in_numbers(estimate)}


def _paired(
    outcomes: Sequence[Outcome], reference: Sequence[Outcome], env: str, key: str
) -> tuple[np.ndarray, np.ndarray] | None:
    """float ``[S, N]`` of ``outcomes`` and of ``reference``, on test tasks; None unless all played the same episodes and know
    this figure of them."""
    runs = (*outcomes, *reference)
    played = [entry for outcome in runs if key in (entry := outcome.episodes.get(env, {}))]
    if not played or len(played) < len(runs) or any(entry["seed"] != played[0]["seed"] for entry in played):
        return None
    unseen = [split_of_seed(seed) == TEST for seed in played[0]["seed"]]
    values = np.array([entry[key] for entry in played], dtype=float)[:, unseen]
    return values[: len(outcomes)], values[len(outcomes) :]


def _generator() -> np.random.Generator:
    """The generator of resamples, always seeded alike, so that the same runs give the same intervals."""
    return np.random.default_rng(0)
