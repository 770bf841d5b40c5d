"""Several runs side by side."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from anyorder.evaluation.statistics import Proportion
from anyorder.experiments.measures import NLLS, SHARES
from anyorder.experiments.promises import lookup
from anyorder.report.figures import curve_figures
from anyorder.report.run import Run
from anyorder.report.tables import html_table


def comparison(runs: Sequence[Run]) -> str:
    """What all runs were judged by, one row each, and their validation curves in common plots, as HTML."""
    plots = "".join(curve_figures({run.name: run.records for run in runs}, " · all runs"))
    return html_table(comparison_table(runs)) + (f'<div class="plots">{plots}</div>' if plots else "")


def comparison_table(runs: Sequence[Run]) -> Table:
    """One row per run; a column for each figure that any of them has."""
    table = Table(title="Side by side, with 95% intervals")
    table.add_column("run")
    table.add_column("level")
    shares, numbers = ({name: path for name, path in known.items() if _anywhere(runs, path)} for known in (SHARES, NLLS))
    for name in (*shares, *numbers):
        table.add_column(name, justify="right")
    for run in runs:
        rates = [_share(lookup(run.metrics, path)) for path in shares.values()]
        nlls = [lookup(run.metrics, path) for path in numbers.values()]
        table.add_row(run.name, run.played_on, *rates, *("" if nll is None else f"{nll:.4f}" for nll in nlls))
    return table


def _anywhere(runs: Sequence[Run], path: str) -> bool:
    return any(lookup(run.metrics, path) is not None for run in runs)


def _share(found: dict | None) -> str:
    return str(Proportion(found["successes"], found["count"])) if found else ""
