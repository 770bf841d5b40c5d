"""Formats of chat files, which have one JSON object per line, and how to read a line of each.

| format | keys of a line | keys of a turn |
|---|---|---|
| `sharegpt` (also in ETO) | `conversations`: turns | `from` (human, gpt, system, tool ...), `value` |
| `agentgym` | the same | the same, and `loss`: false for turns of the agent that are not to be learned |
| `openai` | `messages`: turns; perhaps `tools` | `role`, `content`, perhaps `tool_calls`, `weight` (0 means `loss` false) |
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from anyorder.parsing import Unreadable, from_json


class BadLine(Exception):
    """A wrong line; the message says what was expected and what was found."""


@dataclass(frozen=True)
class Message:
    """A turn as it is written in a file.

    Attributes:
        role: system, user, assistant or tool.
        text: what is said.
        asked: False if the file excludes the turn from learning, True if it includes it, None if it says neither.
        others: all other keys of the turn.
    """

    role: str
    text: str
    asked: bool | None
    others: dict[str, Any]


@dataclass(frozen=True)
class Conversation:
    """The content of a line.

    Attributes:
        messages: the turns, in order.
        others: all other keys of the line.
    """

    messages: tuple[Message, ...]
    others: dict[str, Any]


ROLES = {
    "system": "system",
    "developer": "system",
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "assistant": "assistant",
    "model": "assistant",
    "function_call": "assistant",
    "tool": "tool",
    "function": "tool",
    "observation": "tool",
    "function_response": "tool",
}
"""Names that files give to a speaker -> the role of the turn."""


def sharegpt(line: Mapping[str, Any]) -> Conversation:
    """The conversation in a line of `sharegpt` or `agentgym`."""
    others = dict(line)
    turns = _turns(others, "conversations")
    return Conversation(tuple(_sharegpt_turn(number, turn) for number, turn in enumerate(turns)), others)


def openai(line: Mapping[str, Any]) -> Conversation:
    """The conversation in a line of `openai`. The tools on offer become a first system turn. Tool calls are written after
    the text of their turn, each as ``{"name": ..., "arguments": ...}`` on a line between ``<tool_call>`` and
    ``</tool_call>``, as many chat templates do, LLaDA2's among them."""
    others = dict(line)
    turns = _turns(others, "messages")
    messages = [_openai_turn(number, turn) for number, turn in enumerate(turns)]
    offered = [others.pop(name) for name in ("tools", "functions") if others.get(name)]
    tools = [Message("system", f"Tools: {_json(tools)}", None, {}) for tools in offered]
    return Conversation((*tools, *messages), others)


FORMATS: dict[str, Callable[[Mapping[str, Any]], Conversation]] = {"sharegpt": sharegpt, "agentgym": sharegpt, "openai": openai}


def detect(line: Mapping[str, Any]) -> str:
    """The format of a file, from its first line.

    Raises:
        BadLine: if no format has such a line.
    """
    if "messages" in line:
        return "openai"
    if "conversations" in line:
        turns = line["conversations"]
        says_loss = isinstance(turns, list) and any(isinstance(turn, dict) and "loss" in turn for turn in turns)
        return "agentgym" if says_loss else "sharegpt"
    raise BadLine(f"expected the key messages or conversations, found {', '.join(line) or 'none'}")


def _sharegpt_turn(number: int, turn: Any) -> Message:
    others = dict(_object(turn, f"turn {number}"))
    role, text = _role(number, others.pop("from", None), "from"), others.pop("value", None)
    if not isinstance(text, str):
        raise BadLine(f"expected a text as value of turn {number}, found {_brief(text)}")
    return Message(role, text, _asked(number, others), others)


def _openai_turn(number: int, turn: Any) -> Message:
    others = dict(_object(turn, f"turn {number}"))
    role, text = _role(number, others.pop("role", None), "role"), _content(number, others.pop("content", None))
    calls = others.pop("tool_calls", None) or []
    if not isinstance(calls, list):
        raise BadLine(f"expected a list of tool_calls in turn {number}, found {_brief(calls)}")
    if legacy := others.pop("function_call", None):
        calls = [*calls, {"function": legacy}]
    if text is None and not calls:
        raise BadLine(f"expected content or tool_calls in turn {number}, found neither")
    written = [f"<tool_call>\n{_json(_call(number, call))}\n</tool_call>" for call in calls]
    if ids := [call["id"] for call in calls if "id" in call]:
        others["tool_call_ids"] = ids
    said = [text] if text else []
    return Message(role, "\n".join(said + written), _asked(number, others), others)


def _content(number: int, content: Any) -> str | None:
    """The text of a content, which is a text or a list of pieces of text; None if there is no content."""
    if isinstance(content, list):
        pieces = [piece.get("text") if isinstance(piece, dict) else piece for piece in content]
        texts = [piece for piece in pieces if isinstance(piece, str)]
        if len(texts) == len(pieces):
            return "".join(texts)
    elif content is None or isinstance(content, str):
        return content
    raise BadLine(f"expected text as content of turn {number}, found {_brief(content)}")


def _call(number: int, call: Any) -> dict[str, Any]:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise BadLine(f"expected a function with a name in the tool_calls of turn {number}, found {_brief(call)}")
    arguments = function.get("arguments", {})
    with suppress(Unreadable):  # a model may write broken JSON; then its text is kept as it is
        arguments = from_json(arguments) if isinstance(arguments, str) else arguments
    return {"name": function["name"], "arguments": arguments}


def _turns(line: dict[str, Any], key: str) -> list[Any]:
    turns = line.pop(key, None)
    if not isinstance(turns, list) or not turns:
        raise BadLine(f"expected a list of turns as {key}, found {_brief(turns)}")
    return turns


def _role(number: int, role: Any, key: str) -> str:
    if not isinstance(role, str) or role.lower() not in ROLES:
        raise BadLine(f"expected one of {', '.join(ROLES)} as {key!r} of turn {number}, found {_brief(role)}")
    return ROLES[role.lower()]


def _asked(number: int, others: dict[str, Any]) -> bool | None:
    """What ``loss`` or ``weight`` says about learning the turn, None where both say nothing; takes it out of ``others``."""
    for key in ("loss", "weight"):
        value = others.pop(key, None)
        if value is not None:
            if value not in (0, 1):
                raise BadLine(f"expected true, false or null as {key} of turn {number}, found {_brief(value)}")
            return bool(value)
    return None


def _object(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise BadLine(f"expected {what} to be a JSON object, found {_brief(value)}")
    return value


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _brief(value: Any) -> str:
    if value is None or isinstance(value, (list, dict)):
        return {type(None): "nothing", list: "a list", dict: "an object"}[type(value)] + (", empty" if value == [] else "")
    return repr(value)[:60]
