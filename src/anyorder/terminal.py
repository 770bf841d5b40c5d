"""The one place where text meets the terminal: names and missions are text there, whatever they look like.

Rich reads square brackets as markup and colons as emoji, and terminals obey escape sequences. Names of studies, arms and
files, missions and what models write may hold any of these, so consoles, tables and progress bars are made here.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Container, Iterable, Iterator
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column, Table
from rich.text import Text

ItemT = TypeVar("ItemT")
WIDTH_IN_FILES = 140
"""Characters per line in a file or a pipe, for which rich assumes too few for the tables."""
_UNSEEN = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def shown(text: Any) -> str:
    r"""The text with its control characters spelled out: ``\x1b`` instead of the one that starts an escape sequence."""
    return _UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode(), str(text))


class _PlainConsole(Console):
    """A console that shows text as it is."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(shown(text), **options)


def console() -> Console:
    """The console of standard output."""
    return _PlainConsole() if sys.stdout.isatty() else _PlainConsole(width=WIDTH_IN_FILES)


def error_console() -> Console:
    """The console of standard error, where progress is shown."""
    return _PlainConsole(stderr=True)


def titled_table(title: str, *columns: str, right: Container[str] = ()) -> Table:
    """A table without rows.

    Args:
        title: above it, on the left.
        columns: headers.
        right: the headers of those that are aligned on the right.
    """
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left")
    return table


def progress_bars(*rest: ProgressColumn | str, visible: bool = True, speed_seconds: float = 30.0) -> Progress:
    """Progress bars on standard error, one line per task: what it is, how many are done, what ``rest`` says, the time left.

    Args:
        rest: further columns; a string has fields of the task in braces, such as ``{task.fields[note]}``.
        visible: False shows nothing.
        speed_seconds: the time left is estimated from this many last seconds.
    """
    columns: list[ProgressColumn] = [_Words("{task.description}"), BarColumn(bar_width=12), MofNCompleteColumn()]
    columns += [_Words(column) if isinstance(column, str) else column for column in rest]
    columns += [TimeElapsedColumn(), _Words("left"), TimeRemainingColumn(elapsed_when_finished=False)]
    return Progress(*columns, console=error_console(), disable=not visible, speed_estimate_period=speed_seconds)


def tracked(items: Iterable[ItemT], description: str) -> Iterator[ItemT]:
    """The items, with a progress bar while they are gone through if standard error is a terminal."""
    with progress_bars(visible=sys.stderr.isatty()) as bars:
        yield from bars.track(items, description=description)


class _Words(ProgressColumn):
    """Text in which fields of the task stand in braces."""

    def __init__(self, form: str) -> None:
        super().__init__(Column(no_wrap=True))
        self._form = form

    def render(self, task: Task) -> Text:
        return Text(shown(self._form.format(task=task)))
