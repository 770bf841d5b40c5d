"""Success on levels that a model was not trained on, all of them together.

Legend: S training seeds, N episodes of all these levels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from anyorder.envs.modules import SEPARATOR
from anyorder.evaluation.statistics import Estimate, Proportion, success_difference
from anyorder.studies.measures import in_points
from anyorder.studies.runner import Outcome

NAME = "success on unseen levels"


def unseen_by_all(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    """Environments that all of these runs have played and none was trained on."""
    trained_on = {env for outcome in outcomes for env in outcome.run.level.data.env.split(SEPARATOR)}
    played = [outcome.run.test_on for outcome in outcomes]
    return tuple(env for env in played[0] if env not in trained_on and all(env in envs for envs in played))


@dataclass(frozen=True)
class UnseenSuccess:
    """An `anyorder.studies.measures.Measure`. Differences are paired by training seed and episode.

    Attributes:
        envs: environments whose episodes are pooled, equally many of each.
    """

    envs: tuple[str, ...]
    name: str = NAME
    higher_is_better: bool = True

    def score(self, outcomes: Sequence[Outcome]) -> dict[str, Any] | None:
        """Successes and counts added up over environments and seeds."""
        won = self._successes(outcomes)
        if not won.size:
            return None
        whole = Proportion(int(won.sum()), won.size)
        return {**whole.to_json(), "text": str(whole)}

    def difference(self, outcomes: Sequence[Outcome], reference: Sequence[Outcome]) -> Estimate | None:
        """The interval is bootstrapped over training seeds and episodes, from the same seed each time; None unless all played
        the same episodes."""
        ours, theirs = self._successes(outcomes), self._successes(reference)
        if not ours.size or len(set(map(self._seeds, (*outcomes, *reference)))) > 1:
            return None
        return success_difference(ours, theirs, np.random.default_rng(0))

    def show(self, difference: Estimate) -> str:
        """In percentage points."""
        return in_points(difference)

    def _seeds(self, outcome: Outcome) -> tuple[int, ...]:
        """Seeds of the episodes that were played."""
        return tuple(seed for env in self.envs for seed in outcome.episodes[env]["seed"])

    def _successes(self, outcomes: Sequence[Outcome]) -> np.ndarray:
        """bool ``[S, N]``; True where an episode was solved."""
        rows = [[won for env in self.envs for won in outcome.episodes[env]["success"]] for outcome in outcomes]
        return np.array(rows, dtype=bool)
