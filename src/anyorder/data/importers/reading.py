"""How chat files are read, row by row; every wrong line is reported with its number."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from anyorder.data.importers.conversation import trajectory
from anyorder.data.importers.formats import conversation_of
from anyorder.data.importers.message import Conversation
from anyorder.data.importers.openings import mission_lengths
from anyorder.data.importers.shapes import FORMATS, detect
from anyorder.data.importers.sources import row_place, rows_of
from anyorder.data.importers.values import BadLine
from anyorder.errors import AnyOrderError
from anyorder.types import TextTrajectory

ReadT = TypeVar("ReadT")


@dataclass(frozen=True)
class WrongLine:
    """A line that holds no trajectory.

    Attributes:
        file: name of the file.
        line: number of the line, of the array's entry, or of the table's row, from 1.
        reason: what was expected and what was found.
    """

    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{row_place(self.file, self.line)}: {self.reason}"


def format_of(path: Path, name: str | None = None) -> str:
    """The format of a file, from the first line whose format is known.

    Args:
        path: the file.
        name: how messages name it, if not as itself.

    Raises:
        AnyOrderError: if no line has a known format.
    """
    name = path.name if name is None else name
    problem = f"{name}: expected JSON objects, one a line, or rows of a table, found none"
    for position, (number, row) in enumerate(rows_of(path)):
        try:
            return detect(_known(row))
        except (BadLine, RecursionError) as error:
            problem = str(WrongLine(name, number, str(error))) if position == 0 else problem
    raise AnyOrderError(f"{problem}; name the format, one of {', '.join(FORMATS)}, or correct it")


def read_chat(
    path: Path, format_name: str, name: str | None = None, own_roles: Mapping[str, str] | None = None
) -> Iterator[TextTrajectory | WrongLine]:
    """The trajectory of each line that is not blank, in order, or what is wrong with the line. The whole file is read before
    the first one comes: what repeats in the file decides what is the mission of a conversation.

    Args:
        path: the file.
        format_name: one of `FORMATS`.
        name: how messages and trajectories name the file, if not as itself.
        own_roles: as of `conversation_of`.
    """
    name = path.name if name is None else name
    numbers: list[int] = []
    found: list[Conversation | WrongLine] = []
    for number, row in rows_of(path):
        numbers.append(number)
        found.append(_or_wrong(name, number, conversation_of, row, format_name, own_roles))
    lengths = iter(mission_lengths([one for one in found if isinstance(one, Conversation)]))
    for number, one in zip(numbers, found):
        if isinstance(one, WrongLine):
            yield one
        else:
            yield _or_wrong(name, number, trajectory, one, f"{name}:{number}", next(lengths))


def _or_wrong(file: str, number: int, read: Callable[..., ReadT], found: Any, *how: Any) -> ReadT | WrongLine:
    """What is read from what was found in a line, or what is wrong with it."""
    try:
        return read(_known(found), *how)
    except BadLine as error:
        return WrongLine(file, number, str(error))
    except RecursionError:
        return WrongLine(file, number, "expected a JSON object, found one that is nested too deeply")


def _known(row: Any) -> Any:
    if isinstance(row, BadLine):
        raise row
    return row
