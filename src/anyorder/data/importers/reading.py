"""How chat files are read, line by line; every wrong line is reported with its number."""

from __future__ import annotations

import json
from collections.abc import Iterator
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
    try:
        with open(path, "rb") as file:
            for number, text in enumerate(file, start=1):
                if text.strip():
                    yield number, text
    except OSError as error:
        raise AnyOrderError(f"could not read {path}: {explained(error)}") from None


def _parse(text: bytes) -> dict[str, Any]:
    hint = "; one JSON array becomes lines with `jq -c '.[]'`" if text.lstrip().startswith(b"[") else ""
    try:
        line = parse_json(text.decode("utf-8-sig"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise BadLine(f"expected a JSON object, found what is not JSON ({error}){hint}") from None
    if not isinstance(line, dict):
        raise BadLine(f"expected a JSON object, found {type(line).__name__}{hint}")
    return line
