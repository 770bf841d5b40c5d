"""What a turn says: from its content, its reasoning, its refusal and its tool calls to pieces of text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

from anyorder.data.importers.chats.values import BadLine, Keys, in_few_words, parse_json, parsed_if_json, plain, written_json

TEXT_TYPES = {"text", "inputtext", "outputtext", "summarytext", "markdown"}
THOUGHT_TYPES = {"thinking", "reasoning", "thought", "reasoningtext", "reasoning.text", "reasoning.summary", "think"}
UNREADABLE_TYPES = {"redactedthinking", "reasoning.encrypted"}
"""Thoughts that were taken away: they are kept beside the text."""
CALL_TYPES = {"tooluse", "toolcall", "functioncall", "servertooluse", "mcptooluse", "mcpcall", "customtoolcall"}
RESULT_TYPES = {
    *("toolresult", "toolresponse", "functionresponse", "functioncalloutput", "customtoolcalloutput", "toolcalloutput"),
    *("toolcallresult", "functionresult", "mcptoolresult", "toolmessage"),
}
REASONING_KEYS = (
    *("reasoningcontent", "reasoning", "thinking", "thinkingcontent", "thought", "thoughts", "thoughtprocess", "rationale"),
    *("analysis", "chainofthought", "cot", "scratchpad", "innermonologue", "thinkingblocks", "reasoningdetails"),
    *("reasoningtext", "think"),
)
"""Plain names of what the agent thinks, beside what it says."""
TEXT_KEYS = ("text", "value", "content")
THOUGHT_KEYS = ("thinking", "reasoning", *TEXT_KEYS, "summary")
ARGUMENT_KEYS = ("arguments", "input", "args", "parameters", "params", "kwargs", "toolinput")
NAME_KEYS = ("name", "toolname", "functionname", "apiname", "tool")
CALL_ID_KEYS = ("callid", "tooluseid", "toolcallid", "id")
RESULT_ID_KEYS = ("tooluseid", "toolcallid", "callid", "id")
RESULT_KEYS = ("content", "output", "result", "response")


@dataclass(frozen=True)
class Piece:
    """A part of what a turn says.

    Attributes:
        kind: text, a thought, a call of a tool, or the result of one.
        text: what is said; a thought stands between ``<think>`` and ``</think>``, a call is JSON between ``<tool_call>`` and
            ``</tool_call>``.
        id: of the call, or of the call whose result this is; None where the file gives none.
        name: of the tool that is called, or that answers.
        others: keys of the piece that are not part of the text.
    """

    kind: Literal["text", "thought", "call", "result"]
    text: str
    id: str | None = None
    name: str | None = None
    others: dict[str, Any] = field(default_factory=dict)


def content_pieces(content: Any, where: str) -> list[Piece]:
    """The pieces of a content: a text, a list of texts and typed blocks, one such block, or any other JSON value, which is
    written as JSON. No content has no pieces.

    Raises:
        BadLine: for a block that is not text, a thought, a call or a result.
    """
    if content is None:
        return []
    if isinstance(content, str):
        return [Piece("text", content)]
    content = [_typed(one) for one in content] if isinstance(content, list) else _typed(content)
    if isinstance(content, list) and (not content or any(_is_block(one) or isinstance(one, str) for one in content)):
        return [_block(one, where) for one in content] or [Piece("text", "")]
    if isinstance(content, dict) and _is_block(content) and _type(content) in ("", *KNOWN_TYPES):
        return [_block(content, where)]
    return [Piece("text", written_json(content))]


def thought(content: Any, where: str) -> list[Piece]:
    """Reasoning that stands beside a content, as pieces; none for an empty one."""
    pieces = content_pieces(content, where)
    if all(piece.kind == "thought" or not piece.text for piece in pieces):
        return pieces
    text = joined(pieces)
    return [_thought(text)] if text else []


def call(content: Any, where: str) -> Piece:
    """The call of a tool: ``{"function": {"name": ..., "arguments": ...}}``, or name and arguments without that wrapper.

    Raises:
        BadLine: for a call without a name.
    """
    keys = Keys(content if isinstance(content, dict) else {})
    number = keys.take(CALL_ID_KEYS)
    function = keys.take(["function"])
    inner = Keys(function) if isinstance(function, dict) else keys
    name = function if isinstance(function, str) else inner.take(NAME_KEYS)
    if not isinstance(name, str):
        raise BadLine(f"expected a function with a name in the tool_calls of {where}, found {in_few_words(content)}")
    arguments = inner.take(ARGUMENT_KEYS)
    with suppress(json.JSONDecodeError):  # a model may write broken JSON; then its text is kept as it is
        arguments = parse_json(arguments) if isinstance(arguments, str) else arguments
    text = written_json({"name": name, "arguments": {} if arguments is None else arguments})
    keys.take(["type", "index"])
    others = keys.others() | (inner.others() if inner is not keys else {})
    return Piece("call", f"<tool_call>\n{text}\n</tool_call>", _text_or_none(number), name, others)


def is_call(value: Any) -> bool:
    """True for an object that names a tool and has arguments for it."""
    if not isinstance(value, dict):
        return False
    keys = Keys(value)
    function = next((value[key] for key in keys.find(["function"]) if isinstance(value[key], dict)), None)
    inner = keys if function is None else Keys(function)
    named = any(isinstance(inner.left[key], str) for key in inner.find(NAME_KEYS))
    return named and (function is not None or bool(inner.find(ARGUMENT_KEYS)))


def calls(content: Any, where: str) -> list[Piece]:
    """The pieces of ``tool_calls``: a list, or one call, or the JSON text of either."""
    content = parsed_if_json(content) or []
    if not isinstance(content, (list, dict)):
        raise BadLine(f"expected a list of tool_calls in {where}, found {in_few_words(content)}")
    return [call(one, where) for one in (content if isinstance(content, list) else [content])]


def joined(pieces: Sequence[Piece]) -> str:
    """The text of pieces: texts in a row make one text, everything else stands on lines of its own."""
    parts: list[str] = []
    before = None
    for piece in pieces:
        if piece.kind == before == "text":
            parts[-1] += piece.text
        else:
            parts.append(piece.text)
        before = piece.kind
    return "\n".join(part for part in parts if part)


def _block(block: Any, where: str) -> Piece:
    if isinstance(block, str):
        return Piece("text", block)
    kind, keys = _type(block), Keys(block if isinstance(block, dict) else {})
    keys.take(["type"])
    if keys.left.get("thought") is True and kind in ("", *TEXT_TYPES):  # as Gemini marks what it thinks
        keys.take(["thought"])
        piece = _thought(_inner_text(keys, TEXT_KEYS, block, where))
    elif kind in UNREADABLE_TYPES:
        return Piece("text", "", others=keys.others())
    elif kind in ("", *TEXT_TYPES):
        piece = Piece("text", _inner_text(keys, TEXT_KEYS, block, where))
    elif kind == "refusal":
        piece = Piece("text", _inner_text(keys, ["refusal", *TEXT_KEYS], block, where))
    elif kind in THOUGHT_TYPES:
        piece = _thought(_inner_text(keys, THOUGHT_KEYS, block, where))
    elif kind in CALL_TYPES:
        return call(block, where)
    elif kind in RESULT_TYPES:
        number, name = _text_or_none(keys.take(RESULT_ID_KEYS)), _text_or_none(keys.take(NAME_KEYS))
        piece = Piece("result", joined(content_pieces(keys.take(RESULT_KEYS), where)), number, name)
    else:
        raise BadLine(
            f"expected blocks of text, thinking, tool_use or tool_result as content of {where}, found"
            f" {in_few_words(block.get('type'))}; write what it shows as text"
        )
    return Piece(piece.kind, piece.text, piece.id, piece.name, keys.others())


def _inner_text(keys: Keys, names: Sequence[str], block: Any, where: str) -> str:
    given = sorted(keys.find(names), key=lambda key: keys.left[key] == [])  # what is empty comes last
    value = keys.left.pop(given[0]) if given else None
    value = Keys(value).take(TEXT_KEYS) if isinstance(value, dict) else value
    value = joined(content_pieces(value, where)) if isinstance(value, list) else value
    if not isinstance(value, str):
        raise BadLine(f"expected a text in each block of the content of {where}, found {in_few_words(value or block)}")
    return value


def _thought(text: str) -> Piece:
    return Piece("thought", f"<think>\n{text}\n</think>" if text else "")


KNOWN_TYPES = {"refusal", *TEXT_TYPES, *THOUGHT_TYPES, *UNREADABLE_TYPES, *CALL_TYPES, *RESULT_TYPES}
_NAMED_BY_KEY = {*CALL_TYPES, *RESULT_TYPES, "inlinedata", "filedata"}


def _type(block: Any) -> str:
    kind = block.get("type") if isinstance(block, dict) else None
    return plain(kind) if isinstance(kind, str) else ""


def _typed(block: Any) -> Any:
    """A block that stands under the name of its type, ``{"functionCall": {...}}``, as one that names its type."""
    if isinstance(block, dict) and len(block) == 1:
        ((kind, inner),) = block.items()
        if plain(kind) in _NAMED_BY_KEY and isinstance(inner, dict):
            return {**inner, "type": kind}
    return block


def _is_block(value: Any) -> bool:
    """True for an object with a type or a text, and for one that holds nothing but a value or a content."""
    if not isinstance(value, dict):
        return False
    given = {plain(key): content for key, content in value.items() if content is not None}
    alone = len(given) == 1 and any(isinstance(given.get(key), str) for key in TEXT_KEYS)
    return bool(_type(value)) or isinstance(given.get("text"), str) or alone


def _text_or_none(value: Any) -> str | None:
    return None if value is None else value if isinstance(value, str) else written_json(value)
