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
}
"""Column -> where a run's metrics hold the proportion."""


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
        f"{config.training.num_epochs} epochs; training seeds {seeds}; {ablation.evaluation.num_episodes} episodes per"
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
    lines = ["| arm | " + " | ".join(COLUMNS) + " | files |", "|---" * (len(COLUMNS) + 2) + "|"]
    shares: dict[str, dict[str, Proportion]] = {column: {} for column in COLUMNS}
    for name in names:
        own = [outcome for outcome in outcomes if outcome.arm == name]
        cells = []
        for column, path in COLUMNS.items():
            share = pooled(own, path)
            if share:
                shares[column][name] = share
            cells.append(str(share) if share else "no result")
        lines.append(f"| {name} | " + " | ".join(cells) + f" | `{own[0].folder.parent.name}/` |")
    verdicts = [verdict(found) if found else "no result" for found in shares.values()]
    lines.append("| **verdict** | " + " | ".join(verdicts) + " | |")
    return f"## {title}\n\n" + "\n".join(lines)
