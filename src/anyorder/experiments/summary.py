"""RESULTS_SUMMARY.md of an ablation: a table per comparison, with intervals and a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from anyorder.evaluation.statistics import Proportion
from anyorder.experiments.ablate import Ablation, Outcome
from anyorder.experiments.promises import lookup
from anyorder.files import replacing

SUMMARY_FILE = "RESULTS_SUMMARY.md"
COLUMNS = {
    "task success": "task_success.success",
    "next action": "next_action.groups.action.accuracy",
    "hidden actions": "smoothing.groups.action.accuracy",
    "hidden cells": "smoothing.groups.cell.accuracy",
    "hidden object cells": "smoothing.groups.object_cell.accuracy",
    "hidden changed cells": "smoothing.groups.changed_cell.accuracy",
    "inverse dynamics": "inverse_dynamics.groups.action.accuracy",
    "forward dynamics, changed cells": "forward_dynamics.groups.changed_cell.accuracy",
    "goals reached": "goals.success",
}
"""Column -> where a run's metrics hold the proportion; columns that no run has are left out."""


def pooled(outcomes: Sequence[Outcome], path: str) -> Proportion | None:
    """Successes and counts added up over the seeds of one arm; None if no run of it has them."""
    found = [lookup(outcome.metrics, path) for outcome in outcomes if not outcome.error]
    found = [share for share in found if share]
    if not found:
        return None
    return Proportion(sum(entry["successes"] for entry in found), sum(entry["count"] for entry in found))


def verdict(shares: dict[str, Proportion]) -> str:
    """The arm whose interval lies above all others', or "not distinguishable"."""
    best = max(shares, key=lambda name: shares[name].rate)
    clear = all(shares[best].interval[0] > share.interval[1] for name, share in shares.items() if name != best)
    return best if clear and len(shares) > 1 else "not distinguishable"


def write_summary(path: Path, ablation: Ablation, outcomes: Sequence[Outcome], minutes: float) -> None:
    """Write the summary; every row names the folder of its result files."""
    seeds, config = ", ".join(map(str, ablation.seeds)), ablation.arms[0].config
    parts = [
        "# Results of the ablations",
        f"{config.training.num_epochs} epochs; training seeds {seeds}; {ablation.arms[0].evaluation.num_episodes} episodes per"
        " run, the same for all; intervals are 95% Wilson intervals of the counts pooled over the seeds. An arm wins a"
        " column when its interval lies above every other's; elements of one trajectory are not independent, so close"
        f" wins in the element columns deserve doubt. The runs are in `{ablation.folder}`; this command took {minutes:.1f}"
        " minutes (finished runs are not repeated).",
    ]
    parts += [_comparison(title, names, outcomes) for title, names in ablation.comparisons.items()]
    failed = [f"- {o.arm}, seed {o.seed}: {o.error}" for o in outcomes if o.error]
    parts.append("## Failed runs\n\n" + ("\n".join(failed) or "None."))
    with replacing(path) as temporary:
        temporary.write_text("\n\n".join(parts) + "\n")


def _comparison(title: str, names: Sequence[str], outcomes: Sequence[Outcome]) -> str:
    own = {name: [outcome for outcome in outcomes if outcome.arm == name] for name in names}
    shares = {column: {name: pooled(own[name], path) for name in names} for column, path in COLUMNS.items()}
    shown = [column for column, found in shares.items() if any(found.values())]
    lines = ["| " + " | ".join(["arm", *shown, "files"]) + " |", "|---" * (len(shown) + 2) + "|"]
    for name in names:
        cells = [str(shares[column][name] or "no result") for column in shown]
        lines.append("| " + " | ".join([name, *cells, f"`{own[name][0].folder.parent.name}/`"]) + " |")
    verdicts = [verdict({name: share for name, share in shares[column].items() if share}) for column in shown]
    lines.append("| " + " | ".join(["**verdict**", *verdicts, ""]) + " |")
    return f"## {title}\n\n" + "\n".join(lines)
