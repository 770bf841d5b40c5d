"""Formats of chat files, one JSON object a line, and what they say.

| format | a line | a turn |
|---|---|---|
| `sharegpt` (also of ETO) | `conversations`: turns | `from` (human, gpt, system, tool ...), `value` |
| `agentgym` | the same | and `loss`: false for what the agent says and is not to learn |
| `openai` | `messages`: turns; perhaps `tools` | `role`, `content`, perhaps `tool_calls`, `weight` (0 as `loss` false) |
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any


class BadLine(Exception):
    """What was expected of a line and what was found, in words."""


@dataclass(frozen=True)
class Message:
    """A turn as a file has it.

    Attributes:
        role: system, user, assistant or tool.
        text: what is said.
        asked: what the file says of it, None if nothing.
        others: what else it says.
    """

    role: str
    text: str
    asked: bool | None
    others: dict[str, Any]


@dataclass(frozen=True)
class Conversation:
    """A line.

    Attributes:
        messages: in order.
        others: what else it says.
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
"""How files call who speaks."""


def sharegpt(line: Mapping[str, Any]) -> Conversation:
    """A line of `sharegpt` or `agentgym`."""
    others = dict(line)
    turns = _turns(others, "conversations")
    return Conversation(tuple(_sharegpt_turn(number, turn) for number, turn in enumerate(turns)), others)


def openai(line: Mapping[str, Any]) -> Conversation:
    """A line of `openai`. Tools on offer become a first system turn; calls are written behind what is said, each as
    ``{"name": ..., "arguments": ...}`` in a line of its own between lines ``<tool_call>`` and ``</tool_call>``, the way of
    many chat templates, that of LLaDA2's family among them."""
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
        BadLine: if it is of none.
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
    """Text, or a list of pieces of text."""
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
    with suppress(json.JSONDecodeError):  # a model's broken JSON is what it said
        arguments = json.loads(arguments) if isinstance(arguments, str) else arguments
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
    """What ``loss`` or ``weight`` says."""
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
