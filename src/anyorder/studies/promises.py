"""Promised figures beside those that were reached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from rich.table import Table

from anyorder.errors import AnyOrderError
from anyorder.evaluation.statistics import Measured
from anyorder.files import read_yaml
from anyorder.parsing import brief
from anyorder.restoring import restored
from anyorder.terminal import titled_table


@dataclass(frozen=True)
class Promise:
    """A figure to reach.

    Attributes:
        name: for people.
        metric: dotted path in ``metrics.json`` of a proportion, or of another figure with an interval, such as a return.
        at_least: the rate to reach, 0..1, or the value.
        aim: what is hoped for; missing it is no failure.
    """

    name: str
    metric: str
    at_least: float
    aim: float | None = None


KEYS = tuple(field.name for field in fields(Promise))


def read_promises(path: Path) -> list[Promise]:
    """Read a YAML list of promises.

    Raises:
        AnyOrderError: naming the file and what is allowed.
    """
    entries = read_yaml(path)
    try:
        if unknown := [key for entry in entries for key in entry if key not in KEYS]:
            raise ValueError(f"it knows no key {brief(unknown[0])}")
        return restored(list[Promise], entries, "the list")
    except (TypeError, ValueError) as error:
        raise AnyOrderError(
            f"{path} must be a list of entries with name, metric, at_least and perhaps aim: {brief(error)}; correct it"
        ) from None


def check_promises(promises: Sequence[Promise], metrics: dict[str, Any]) -> tuple[Table, bool]:
    """The table of promised and reached figures, and True if every promise is kept.

    Raises:
        AnyOrderError: for a metric that is no such figure.
    """
    table = titled_table("Promised and reached", "", "promised", "aim", "reached", "kept")
    kept = True
    for promise in promises:
        reached, form = lookup(metrics, promise.metric), "{:.0%}".format
        if isinstance(reached, dict) and {"value", "low", "high"} <= reached.keys():
            reached, form = {**reached, "rate": reached["value"]}, "{:g}".format
        elif reached is not None and not (isinstance(reached, dict) and {"rate", "low", "high"} <= reached.keys()):
            raise AnyOrderError(
                f"the metric of a promise must be a proportion; found {brief(promise.metric)}; correct its path"
            )
        good = reached is not None and reached["rate"] >= promise.at_least
        kept &= good
        aim = form(promise.aim) if promise.aim is not None else ""
        shown = _shown(reached) if reached else "not measured"
        table.add_row(promise.name, form(promise.at_least), aim, shown, "yes" if good else "NO")
    return table, kept


def _shown(reached: Mapping[str, Any]) -> str:
    if "value" in reached:
        return Measured(reached["value"], reached["low"], reached["high"]).words("{:.4g}".format)
    return f"{reached['rate']:.1%} [{reached['low']:.1%}, {reached['high']:.1%}]"


def lookup(metrics: dict[str, Any], path: str) -> Any:
    """What a run's metrics hold at a dotted path, most often a proportion as a dictionary; None if it was not measured."""
    found: Any = metrics
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found
