"""What a study reads from its runs in environments that are no grids: errors of numbers, and shares of right categories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from anyorder.envs.spaces import ACTION
from anyorder.evaluation.statistics import Estimate, Measured, mean_over_seeds
from anyorder.studies.runner import OWN_LEVEL, Outcome


@dataclass(frozen=True)
class FieldFigure:
    """A figure of all observations or actions in one mode, beside no baseline. With one seed its interval is that over
    episodes, with several Student's over seeds, as in differences.

    Attributes:
        name: of the column.
        mode: see `anyorder.evaluation.field_findings.FieldFindings`.
        kind: ``observations`` or ``actions``.
        part, figure: of `FieldScore`, such as ``numbers`` and ``root_mean_square``.
    """

    name: str
    mode: str
    kind: str
    part: str
    figure: str

    @property
    def higher_is_better(self) -> bool:
        """True for shares."""
        return self.figure != "root_mean_square"

    def score(self, outcomes: Sequence[Outcome]) -> dict[str, Any] | None:
        """See `anyorder.studies.measures.Measure`."""
        found = [one for outcome in outcomes if (one := self._found(outcome))]
        if len(found) < len(outcomes):
            return None
        whole = found[0] if len(found) == 1 else _bounds(mean_over_seeds(np.array([one.value for one in found])))
        return {"value": whole.value, "low": whole.low, "high": whole.high, "text": whole.words()}

    def difference(self, outcomes: Sequence[Outcome], reference: Sequence[Outcome]) -> Estimate | None:
        """See `anyorder.studies.measures.Measure`."""
        pairs = [(self._found(ours), self._found(theirs)) for ours, theirs in zip(outcomes, reference, strict=True)]
        values = [ours.value - theirs.value for ours, theirs in pairs if ours and theirs]
        return mean_over_seeds(np.array(values)) if values and len(values) == len(pairs) else None

    def show(self, difference: Estimate) -> str:
        """A difference as text for people."""
        return _bounds(difference).words("{:+.3f}".format)

    def _found(self, outcome: Outcome) -> Measured | None:
        """The figure of ``all observations`` or ``all actions``, or of the only field of that kind."""
        fields: Mapping[str, Any] = outcome.metrics[OWN_LEVEL].get(self.mode, {}).get("fields", {})
        of_actions = self.kind == "actions"
        own = [name for name in fields if (name == ACTION or name.startswith(f"{ACTION}/")) == of_actions]
        named = fields.get(f"all {self.kind}") or (fields[own[0]] if len(own) == 1 else {})
        found = (named.get(self.part) or {}).get(self.figure, {}).get("model")
        return Measured(**found) if found else None


def _bounds(estimate: Estimate) -> Measured:
    if not estimate.is_bounded:
        return Measured(estimate.value)
    return Measured(estimate.value, estimate.low, estimate.high)


FIELD_FIGURES = tuple(
    FieldFigure(f"{title}, {words}", mode, kind, part, figure)
    for title, mode, kind in (
        ("next action", "next_action", "actions"),
        ("hidden actions", "smoothing", "actions"),
        ("hidden observations", "smoothing", "observations"),
        ("inverse dynamics", "inverse_dynamics", "actions"),
        ("forward dynamics", "forward_dynamics", "observations"),
        ("between waypoints", "waypoints", "observations"),
    )
    for words, part, figure in (
        ("error in deviations", "numbers", "root_mean_square"),
        ("within 0.1 deviations", "numbers", "near"),
        ("categories right", "categories", "accuracy"),
    )
)
"""The columns that studies show where runs have them."""
