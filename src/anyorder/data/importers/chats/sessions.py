"""Sessions as agents on the command line record them: an event a line, and one conversation in a file, or several.

| agent | an event |
|---|---|
| Claude Code | `{"type": "user", "message": {...}, "sessionId": ..., "isSidechain": ...}` |
| Codex | `{"timestamp": ..., "type": "response_item", "payload": {...}}` |

What is no turn, such as summaries and snapshots, and the turns of agents that the agent called are kept beside the
conversation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from anyorder.data.importers.chats.values import BadLine

NOT_SAID, OF_OTHERS = "other_events", "sidechain"
"""Keys of a conversation under which events that are no turns are kept, and turns of agents that the agent called."""
SAID = ("user", "assistant")
"""Types of Claude Code's events that hold a message."""
_ABOUT_CODE = {"summary", "file-history-snapshot", "queue-operation"}
"""Types of events with which Claude Code's files may begin."""
_OF_CODEX = {"session_meta", "response_item", "event_msg", "turn_context", "compacted"}


def begins_session(event: Any) -> bool:
    """True for an event of a session, as its file may begin with."""
    return _of_code(event) or _of_codex(event)


def sessions(events: Iterable[tuple[int, Any]]) -> Iterator[tuple[int, Any]]:
    """The conversations of the events of one file, each with the number of its first event; what is no event comes as it
    is.

    Args:
        events: each with the number of its line; a `BadLine` for what is none.
    """
    found: dict[str | None, list[tuple[int, Any]]] = {}
    session: str | None = None
    for number, event in events:
        if isinstance(event, BadLine) or not isinstance(event, dict):
            yield number, event
            continue
        session = event["sessionId"] if isinstance(event.get("sessionId"), str) else session
        found.setdefault(session, []).append((number, event))
    about = found.pop(None, []) if len(found) > 1 else []  # before the first event that names its session
    for number, held in enumerate(found.values()):
        first = [*about, *held] if number == 0 else held
        yield first[0][0], _conversation([event for _, event in first])


def _conversation(events: list[dict[str, Any]]) -> dict[str, Any]:
    if any(map(_of_codex, events)):
        said, others = _parted(events, lambda event: event.get("type") == "response_item" and "payload" in event)
        about: dict[str, Any] = next(
            (event["payload"] for event in others if _of_codex(event) and event["type"] == "session_meta"), {}
        )
        instructions = about.get("base_instructions", about.get("instructions"))
        return {"instructions": instructions, "input": [event["payload"] for event in said], **_beside(NOT_SAID, others)}
    said, others = _parted(events, lambda event: event.get("type") in SAID and isinstance(event.get("message"), dict))
    aside, own = _parted(said, lambda event: bool(event.get("isSidechain")))
    if not own:  # a file of its own for an agent that was called
        aside, own = [], aside
    return {"messages": own, **_beside(OF_OTHERS, aside), **_beside(NOT_SAID, others)}


def _parted(events: list[dict[str, Any]], test: Callable[[dict[str, Any]], bool]) -> tuple[list[Any], list[Any]]:
    """The events that pass a test, and the others."""
    return [event for event in events if test(event)], [event for event in events if not test(event)]


def _beside(key: str, events: list[dict[str, Any]]) -> dict[str, Any]:
    return {key: events} if events else {}


def _of_code(event: Any) -> bool:
    if not isinstance(event, dict) or not isinstance(event.get("type"), str):
        return False
    if event["type"] in _ABOUT_CODE:
        return bool(event.keys() & {"sessionId", "leafUuid", "snapshot", "messageId"})
    return "sessionId" in event and ("uuid" in event or isinstance(event.get("message"), dict))


def _of_codex(event: Any) -> bool:
    kind = event.get("type") if isinstance(event, dict) else None
    return isinstance(kind, str) and kind in _OF_CODEX and isinstance(event.get("payload"), dict)
