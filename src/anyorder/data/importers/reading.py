"""How chat files are read, line by line; every wrong line is reported with its number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anyorder.data.importers.conversation import trajectory
from anyorder.data.importers.formats import FORMATS, BadLine, detect
from anyorder.errors import AnyOrderError
from anyorder.parsing import Unreadable, from_json
from anyorder.types import TextTrajectory


@dataclass(frozen=True)
class WrongLine:
    """A line that holds no trajectory.

    Attributes:
        file: name of the file.
        line: number of the line, from 1.
        reason: what was expected and what was found.
    """

    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}: {self.reason}"


def format_of(path: Path) -> str:
    """The format of a file, from the first line whose format is known.

    Raises:
        AnyOrderError: if no line has a known format.
    """
    problems = []
    for number, text in _lines(path):
        try:
            return detect(_parse(text))
        except BadLine as error:
            problems.append(f"line {number}: {error}")
    problem = problems[0] if problems else "expected JSON objects, one a line, found none"
    raise AnyOrderError(f"{path.name}, {problem}; name the format, one of {', '.join(FORMATS)}, or correct it")


def read_chat(path: Path, format_name: str) -> Iterator[TextTrajectory | WrongLine]:
    """The trajectory of each line that is not blank, in order, or what is wrong with the line.

    Args:
        path: the file.
        format_name: one of `FORMATS`.
    """
    for number, text in _lines(path):
        try:
            yield trajectory(FORMATS[format_name](_parse(text)), f"{path.name}:{number}")
        except BadLine as error:
            yield WrongLine(path.name, number, str(error))


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    try:
        with open(path, "rb") as file:
            for number, text in enumerate(file, start=1):
                if text.strip():
                    yield number, text
    except OSError as error:
        raise AnyOrderError(f"could not read {path}: {error.strerror or error}") from None


def _parse(text: bytes) -> dict[str, Any]:
    hint = "; one JSON array becomes lines with `jq -c '.[]'`" if text.lstrip().startswith(b"[") else ""
    try:
        line = from_json(text.decode("utf-8-sig"))
    except (UnicodeDecodeError, Unreadable) as error:
        raise BadLine(f"expected a JSON object, found what is not JSON ({error}){hint}") from None
    if not isinstance(line, dict):
        raise BadLine(f"expected a JSON object, found {type(line).__name__}{hint}")
    return line
