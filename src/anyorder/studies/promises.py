"""Promised figures beside those that were reached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from anyorder.errors import AnyOrderError
from anyorder.files import read_yaml


@dataclass(frozen=True)
class Promise:
    """A figure to reach.

    Attributes:
        name: for people.
        metric: dotted path of a proportion in ``metrics.json``.
        at_least: the rate to reach, 0..1.
        aim: what is hoped for; missing it is no failure.
    """

    name: str
    metric: str
    at_least: float
    aim: float | None = None


def read_promises(path: Path) -> list[Promise]:
    """Read a YAML list of promises.

    Raises:
        AnyOrderError: naming the file and what is allowed.
    """
    entries = read_yaml(path)
    try:
        return [Promise(**entry) for entry in entries]
    except TypeError:
        raise AnyOrderError(
            f"{path} must be a list of entries with name, metric, at_least and perhaps aim; found {entries!r}"
        ) from None


def check_promises(promises: Sequence[Promise], metrics: dict[str, Any]) -> tuple[Table, bool]:
    """The table of promised and reached figures, and True if every promise is kept."""
    table = Table(title="Promised and reached", title_justify="left")
    for column in ("", "promised", "aim", "reached", "kept"):
        table.add_column(column)
    kept = True
    for promise in promises:
        reached = lookup(metrics, promise.metric)
        good = reached is not None and reached["rate"] >= promise.at_least
        kept &= good
        aim = f"{promise.aim:.0%}" if promise.aim is not None else ""
        shown = f"{reached['rate']:.1%} [{reached['low']:.1%}, {reached['high']:.1%}]" if reached else "not measured"
        table.add_row(promise.name, f"{promise.at_least:.0%}", aim, shown, "yes" if good else "NO")
    return table, kept


def lookup(metrics: dict[str, Any], path: str) -> Any:
    """What a run's metrics hold at a dotted path, most often a proportion as a dictionary; None if it was not measured."""
    found: Any = metrics
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found
