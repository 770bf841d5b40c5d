"""What a line of a chat file says: a conversation of messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Message:
    """A turn as it is written in a file.

    Attributes:
        role: system, user, assistant or tool.
        text: what is said.
        asked: False if the file excludes the turn from learning, True if it includes it, None if it says neither.
        others: all other keys of the turn.
        calls: for each call of a tool, its id if the file gives one, and the tool's name.
        answers: the id of the call whose result this is.
        tool: the name of the tool whose result this is.
    """

    role: str
    text: str
    asked: bool | None
    others: dict[str, Any]
    calls: tuple[tuple[str | None, str | None], ...] = ()
    answers: str | None = None
    tool: str | None = None


@dataclass(frozen=True)
class Conversation:
    """The content of a line.

    Attributes:
        messages: the turns, in order.
        others: all other keys of the line.
    """

    messages: tuple[Message, ...]
    others: dict[str, Any]
