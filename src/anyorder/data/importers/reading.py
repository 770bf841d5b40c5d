"""How chat files are read, line by line; every wrong line is reported with its number.

A file that is one JSON array is read as if each of its entries were a line.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anyorder.data.importers.conversation import trajectory
from anyorder.data.importers.formats import FORMATS, Conversation, conversation_of, detect
from anyorder.data.importers.openings import mission_lengths
from anyorder.data.importers.values import BadLine, parse_json
from anyorder.errors import AnyOrderError
from anyorder.files import explained
from anyorder.types import TextTrajectory

BEFORE_JSON = b"\xef\xbb\xbf \t\r\n"
"""Bytes that may stand before a JSON text: a byte order mark and white space."""


@dataclass(frozen=True)
class WrongLine:
    """A line that holds no trajectory.

    Attributes:
        file: name of the file.
        line: number of the line, or of the array's entry, from 1.
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
    """The trajectory of each line that is not blank, in order, or what is wrong with the line. The whole file is read before
    the first one comes: what repeats in the file decides what is the mission of a conversation.

    Args:
        path: the file.
        format_name: one of `FORMATS`.
    """
    numbers: list[int] = []
    found: list[Conversation | WrongLine] = []
    for number, text in _lines(path):
        numbers.append(number)
        found.append(_conversation(path.name, number, text, format_name))
    lengths = iter(mission_lengths([one for one in found if isinstance(one, Conversation)]))
    for number, one in zip(numbers, found):
        yield one if isinstance(one, WrongLine) else _trajectory(path.name, number, one, next(lengths))


def _conversation(file: str, number: int, text: bytes, format_name: str) -> Conversation | WrongLine:
    try:
        return conversation_of(_parse(text), format_name)
    except BadLine as error:
        return WrongLine(file, number, str(error))
    except RecursionError:
        return WrongLine(file, number, "expected a JSON object, found one that is nested too deeply")


def _trajectory(file: str, number: int, conversation: Conversation, mission_length: int) -> TextTrajectory | WrongLine:
    try:
        return trajectory(conversation, f"{file}:{number}", mission_length)
    except BadLine as error:
        return WrongLine(file, number, str(error))
    except RecursionError:
        return WrongLine(file, number, "expected a JSON object, found one that is nested too deeply")


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines that are not blank, or the entries of an array, each with its number."""
    try:
        with open(path, "rb") as file:
            lines: Iterable[bytes] = file
            if file.peek().lstrip(BEFORE_JSON).startswith(b"["):
                lines = _entries(file.read()) or lines
                file.seek(0)
            for number, text in enumerate(lines, start=1):
                if text.strip():
                    yield number, text
    except OSError as error:
        raise AnyOrderError(f"could not read {path}: {explained(error)}") from None


def _entries(content: bytes) -> list[bytes]:
    """The entries of a file that is one JSON array, each as a line; none for any other file, whose lines say what is wrong."""
    try:
        return [json.dumps(entry).encode() for entry in json.loads(content.decode("utf-8-sig"))]
    except (ValueError, RecursionError):
        return []


def _parse(text: bytes) -> dict[str, Any]:
    is_list = text.lstrip(BEFORE_JSON).startswith(b"[")
    hint = "; a list of turns becomes such an object with `jq -c '{messages: .}'`" if is_list else ""
    try:
        line = parse_json(text.decode("utf-8-sig"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise BadLine(f"expected a JSON object, found what is not JSON ({error}){hint}") from None
    if not isinstance(line, dict):
        raise BadLine(f"expected a JSON object, found {type(line).__name__}{hint}")
    return line
