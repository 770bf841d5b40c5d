"""Results of tools follow in the order of their calls, whatever order a file has them in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from anyorder.data.importers.chats.message import Message


def in_order_of_calls(messages: Sequence[Message]) -> list[Message]:
    """The messages, where the results of the calls that the agent made in a row follow in the order of the calls. Where
    several calls have not one result each, the name of its tool stands before each result."""
    found: list[Message] = []
    start = 0
    while start < len(messages):
        asks = _end(messages, start, "assistant")
        end = _end(messages, max(asks, start + 1), "tool")
        made = [call for message in messages[start:asks] for call in message.calls]
        asks = max(asks, start + 1)
        found += [*messages[start:asks], *_matched(made, messages[asks:end])]
        start = end
    return found


def _end(messages: Sequence[Message], start: int, role: str) -> int:
    """Where the messages of this role that begin at ``start`` end."""
    while start < len(messages) and messages[start].role == role:
        start += 1
    return start


def _matched(made: Sequence[tuple[str | None, str | None]], results: Sequence[Message]) -> list[Message]:
    """Results in the order of their calls: by ids, or else by the names of tools; as they are where neither tells."""
    if len(made) < 2 or not results:
        return list(results)
    by_id = [number for number, _ in made], [result.answers for result in results]
    by_name = [name for _, name in made], [result.tool for result in results]
    for called, answered in (by_id, by_name):
        if None not in called and len(set(called)) == len(called) and set(answered) <= set(called):
            order = sorted(range(len(results)), key=lambda number: called.index(answered[number]))
            if len(set(answered)) == len(called) == len(results):
                return [results[number] for number in order]
            names = {key: name for key, (_, name) in zip(called, made)}
            return [_with_name(results[number], names[answered[number]]) for number in order]
    return list(results)


def _with_name(result: Message, name: str | None) -> Message:
    return replace(result, text=f"{name}: {result.text}")
