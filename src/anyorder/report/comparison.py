"""Several runs side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from rich.table import Table

from anyorder.evaluation.statistics import Estimate, Proportion, success_difference
from anyorder.report.any_run import AnyRun
from anyorder.report.figures import curve_figures
from anyorder.report.tables import html_table
from anyorder.studies.measures import NLLS, SHARES, in_points
from anyorder.studies.promises import lookup
from anyorder.studies.text_measures import TEXT_NLLS, TEXT_SHARES, demonstrated_choices, success_share
from anyorder.terminal import titled_table


def names_of(runs: Sequence[AnyRun]) -> list[str]:
    """Names of the folders, numbered where they are the same."""
    count, seen = Counter(run.name for run in runs), Counter[str]()
    names = []
    for run in runs:
        seen[run.name] += 1
        names.append(run.name if count[run.name] == 1 else f"{run.name} ({seen[run.name]})")
    return names


def comparison(runs: Sequence[AnyRun]) -> str:
    """The metrics of the runs, how their success differs, and their validation curves in common plots, as HTML."""
    named = dict(zip(names_of(runs), runs))
    plots = "".join(curve_figures({name: run.records for name, run in named.items()}, " · all runs"))
    return (
        html_table(comparison_table(named))
        + (html_table(difference_table(named)) if any(run.outcomes for run in runs) else "")
        + (f'<div class="plots">{plots}</div>' if plots else "")
    )


def comparison_table(runs: Mapping[str, AnyRun]) -> Table:
    """One row per run, one column for each metric that any of them has."""
    columns = {
        name: (find, words)
        for name, (find, words) in _columns().items()
        if any(find(run.metrics) is not None for run in runs.values())
    }
    table = titled_table("Side by side, with 95% intervals", "run", "level")
    table.add_column("updates", justify="right")
    for name in columns:
        table.add_column(name, justify="right")
    for name, run in runs.items():
        found = [(words, find(run.metrics)) for find, words in columns.values()]
        table.add_row(
            name, run.played_on, f"{run.num_updates:,}", *("" if value is None else words(value) for words, value in found)
        )
    return table


def _columns() -> dict[str, tuple[Callable[[Any], Any], Callable[[Any], str]]]:
    """Name -> what finds a figure in a run's metrics, and what says it."""
    found: dict[str, Callable[[Any], Any]] = {
        **{name: partial(lookup, path=path) for name, path in {**SHARES, **TEXT_SHARES}.items()},
        "task success": success_share,
        "demonstrated action chosen": demonstrated_choices,
    }
    numbers = {name: partial(lookup, path=path) for name, path in {**NLLS, **TEXT_NLLS}.items()}
    return {
        **{name: (find, _share_text) for name, find in found.items()},
        **{name: (find, "{:.4f}".format) for name, find in numbers.items()},
    }


def difference_table(runs: Mapping[str, AnyRun]) -> Table:
    """How much higher the success of each run is than that of the first, episode by episode."""
    first, *others = runs.items()
    table = titled_table(f"Success less that of {first[0]}, in points, paired by episode", "run", "episodes")
    table.add_column("difference", justify="right")
    table.add_column("it is")
    for name, run in others:
        if (found := success_less(run, first[1])) is None:
            table.add_row(name, "", "", "not comparable: other episodes, or none says what succeeded")
        else:
            table.add_row(name, f"{len(run.outcomes['seed']):,}", in_points(found), found.verdict())
    return table


def success_less(run: AnyRun, reference: AnyRun) -> Estimate | None:
    """The difference of their success rates with its 95% interval; None unless both played the same episodes."""
    ours, theirs = run.outcomes, reference.outcomes
    if not ours or not theirs or run.played_on != reference.played_on or ours["seed"] != theirs["seed"]:
        return None
    if None in ours["success"] or None in theirs["success"]:  # the environment says nothing of it
        return None
    return success_difference(np.array([ours["success"]]), np.array([theirs["success"]]), np.random.default_rng(0))


def _share_text(found: Mapping[str, Any]) -> str:
    return str(Proportion(found["successes"], found["count"]))
