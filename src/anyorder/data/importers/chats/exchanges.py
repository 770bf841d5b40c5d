"""Answers as services return them, where a line holds a request and the response to it.

| the response | whose |
|---|---|
| `{"choices": [{"message": ...}]}` | OpenAI's chat completions |
| `{"output": [...]}` | OpenAI's Responses |
| `{"candidates": [{"content": ...}]}` | Gemini's |
| `{"output": {"message": ...}}` | Bedrock's Converse |
| `{"message": ...}` | Ollama's, Cohere's |
| `{"generations": [[{"message": ...}]]}`, `{"messages": [...]}` | LangChain's |
| any of these as `body` or `response` | of a batch |
"""

from __future__ import annotations

from typing import Any

from anyorder.data.importers.chats.speakers import ROLE_KEYS
from anyorder.data.importers.chats.values import BadLine, Keys, parsed_if_json

ALTERNATIVES = ("choices", "candidates", "generations")
"""Plain names of keys that list answers to one request, each in an object of its own."""
HOLDERS = ("body", "response", *ALTERNATIVES, "output", "outputs", "messages", "message", "content")
"""Plain names of the key of a response under which the answer lies, the outermost first."""


SPOKEN = ("content", "text", "parts")
"""Plain names of what a message says whose speaker is not named, as it need not be in a response."""


def answer_within(response: Any, inside: bool = False) -> tuple[list[Any], Any] | None:
    """The turns of the agent that a service's response holds, and what else it holds; None for what is no such response.

    Args:
        response: an object or a list, or the JSON text of either.
        inside: True for a part of a response.

    Raises:
        BadLine: for several answers to one request.
    """
    response = parsed_if_json(response)
    if isinstance(response, list):
        return _of_list(response, inside)
    if not isinstance(response, dict):
        return None
    if _is_turn(response):
        return [response], None
    keys = Keys(response)
    for key in keys.find(HOLDERS):
        if (found := answer_within(response[key], inside=True)) is not None:
            turns, rest = found
            others = {name: value for name, value in response.items() if name != key}
            others |= {} if rest is None else {key: rest}
            return turns, others or None
    said = next((key for key in keys.find(SPOKEN) if inside and isinstance(response[key], (str, list))), None)
    if said is None:
        return None
    content = keys.left.pop(said)
    return [{"role": "assistant", "content": content}], keys.left or None


def _of_list(values: list[Any], inside: bool) -> tuple[list[Any], Any] | None:
    if any(map(_is_turn, values)) and all(_is_turn(one) or _is_item(one) for one in values):
        return values, None
    if not all(isinstance(one, (dict, list)) for one in values):
        return None
    found = [one for one in (answer_within(value, inside) for value in values) if one is not None]
    if len(found) > 1:
        raise BadLine(f"expected one answer to a request, found {len(found)}; make a line of each, or keep one")
    if not found or len(values) > 1:
        return None
    turns, rest = found[0]
    return turns, None if rest is None else [rest]


def _is_turn(value: Any) -> bool:
    """True for a message with its speaker, also where LangChain wrote it, and for a call or its result."""
    if not isinstance(value, dict):
        return False
    return bool(Keys(value).find(ROLE_KEYS)) or bool(value.get("lc")) or (_is_item(value) and "call_id" in value)


def _is_item(value: Any) -> bool:
    """True for what may be an item of OpenAI's Responses: it names its type, and wraps no message."""
    return isinstance(value, dict) and isinstance(value.get("type"), str) and "message" not in value
