"""How chat files are read, row by row; every wrong line is reported with its number."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from anyorder.data.importers.chats.conversation import trajectory
from anyorder.data.importers.chats.formats import conversation_of
from anyorder.data.importers.chats.message import Conversation
from anyorder.data.importers.chats.openings import mission_lengths
from anyorder.data.importers.chats.shapes import FORMATS, detect
from anyorder.data.importers.chats.sources import ChatFile, row_place, rows_of
from anyorder.data.importers.chats.values import BadLine
from anyorder.errors import AnyOrderError
from anyorder.types import TextTrajectory

ReadT = TypeVar("ReadT")
NO_ROWS = "expected JSON objects, one a line, or rows of a table, found none"


@dataclass(frozen=True)
class WrongLine:
    """A line that holds no trajectory.

    Attributes:
        file: name of the file.
        line: number of the line, of the array's entry, or of the table's row, from 1; 0 for the file as a whole.
        reason: what was expected and what was found.
    """

    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        place = row_place(self.file, self.line) if self.line else self.file
        return f"{place}: {self.reason}"


class UnknownFormat(AnyOrderError):
    """A file of which no line has a known format.

    Attributes:
        line: the first of them.
    """

    def __init__(self, line: WrongLine) -> None:
        self.line = line
        super().__init__(
            f"{line}; name the format, one of {', '.join(FORMATS)}, correct it, or leave the file out, as --skip_bad_lines true"
            " does"
        )


def format_of(path: Path, name: str | None = None) -> str:
    """The format of a file, from the first line whose format is known.

    Args:
        path: the file.
        name: how messages name it, if not as itself.

    Raises:
        AnyOrderError: if no line has a known format.
    """
    name = path.name if name is None else name
    problems: list[WrongLine] = []
    for number, row in rows_of(path):
        try:
            return detect(_known(row))
        except (BadLine, RecursionError) as error:
            problems.append(WrongLine(name, number, str(error)))
    raise UnknownFormat(problems[0] if problems else WrongLine(name, 0, NO_ROWS))


def read_chat(path: Path, format_name: str, own_roles: Mapping[str, str] | None = None) -> Iterator[TextTrajectory | WrongLine]:
    """The trajectory of each line of one file, or what is wrong with the line; see `read_together`."""
    return read_together([(ChatFile(path, path.name), format_name)], own_roles)


def read_together(
    files: Iterable[tuple[ChatFile, str]], own_roles: Mapping[str, str] | None = None
) -> Iterator[TextTrajectory | WrongLine]:
    """The trajectory of each line that is not blank, in order, or what is wrong with the line. All files are read before
    the first one comes: what repeats in them decides what is the mission of a conversation.

    Args:
        files: each with its format, one of `FORMATS`.
        own_roles: as of `conversation_of`.
    """
    places: list[tuple[str, int]] = []
    found: list[Conversation | WrongLine] = []
    for file, format_name in files:
        for number, row in rows_of(file.path):
            places.append((file.name, number))
            found.append(_or_wrong(file.name, number, conversation_of, row, format_name, own_roles))
    lengths = iter(mission_lengths([one for one in found if isinstance(one, Conversation)]))
    for (name, number), one in zip(places, found):
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
