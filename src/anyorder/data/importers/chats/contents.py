"""What a turn says: from its content, its reasoning, its refusal and its tool calls to pieces of text."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

from anyorder.data.importers.chats.values import BadLine, Keys, in_few_words, parse_json, parsed_if_json, plain, written_json

TEXT_TYPES = {"text", "inputtext", "outputtext", "summarytext", "markdown"}
THOUGHT_TYPES = {"thinking", "reasoning", "thought", "reasoningtext", "reasoning.text", "reasoning.summary", "think"}
UNREADABLE_TYPES = {"redactedthinking", "reasoning.encrypted"}
"""Thoughts that were taken away: they are kept beside the text."""
SILENT_TYPES = {"stepstart", "cachepoint"}
"""Blocks that mark a place and say nothing."""
CALL_TYPES = {
    *("tooluse", "toolcall", "functioncall", "servertooluse", "mcptooluse", "executablecode", "dynamictool", "toolinvocation"),
    *("mcpcall", "customtoolcall", "websearchcall", "filesearchcall", "codeinterpretercall", "computercall", "localshellcall"),
    *("shellcall", "applypatchcall", "toolsearchcall"),
}
RESULT_TYPES = {"toolresponse", "functionresponse", "functionresult", "toolmessage", "codeexecutionresult"}
RESULT_ENDS = ("toolresult", "callresult", "calloutput")
"""How the plain names of further results end: Anthropic's ``web_search_tool_result``, OpenAI's ``computer_call_output``."""
MEDIA = re.compile("image|picture|screenshot|audio|video|media|pdf|^(input|output)?file(data)?$")
"""What plain names of types have in them that show something."""
REASONING_KEYS = (
    *("reasoningcontent", "reasoning", "thinking", "thinkingcontent", "thought", "thoughts", "thoughtprocess", "rationale"),
    *("analysis", "chainofthought", "cot", "scratchpad", "innermonologue", "thinkingblocks", "reasoningdetails"),
    *("reasoningtext", "think", "toolplan"),
)
"""Plain names of what the agent thinks, beside what it says."""
TEXT_KEYS = ("text", "value", "content")
THOUGHT_KEYS = ("thinking", "reasoning", "reasoningtext", *TEXT_KEYS, "summary")
ARGUMENT_KEYS = ("arguments", "input", "args", "parameters", "params", "kwargs", "toolinput")
NAME_KEYS = ("name", "toolname", "functionname", "apiname", "tool")
CALL_ID_KEYS = ("callid", "tooluseid", "toolcallid", "id")
RESULT_ID_KEYS = ("tooluseid", "toolcallid", "callid", "sourcecallid", "id")
RESULT_KEYS = ("content", "output", "result", "response", "toolresults", "results", "outputs")
RESULTS_OF_CALLS = ("output", "outputs", "result", "results", "error", "errortext")
"""Plain names of the key of a call that holds its own result."""
FUNCTION_KEYS = ("function", "custom")
"""Plain names of the key of a call with the name and arguments of its tool."""


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


def content_pieces(content: Any, where: str, of_tool: bool = False) -> list[Piece]:
    """The pieces of a content: a text, a list of texts and typed blocks, one such block, or any other JSON value, which is
    written as JSON. No content has no pieces.

    Args:
        content: as the file has it.
        where: the turn, for messages.
        of_tool: True for what a tool says, whose blocks of types of its own are data.

    Raises:
        BadLine: for a block that is not text, a thought, a call or a result.
    """
    if content is None:
        return []
    if isinstance(content, str):
        return [Piece("text", content)]
    content = [_typed(one) for one in content] if isinstance(content, list) else _typed(content)
    if of_tool and MEDIA.search(_type(content)):
        content = [content]
    if of_tool and isinstance(content, list) and content and all(_is_data(one) for one in content):
        return [Piece("text", written_json(content))]
    if isinstance(content, list) and (not content or any(_is_block(one) or isinstance(one, str) for one in content)):
        return [piece for one in content for piece in _block(one, where, of_tool)] or [Piece("text", "")]
    if isinstance(content, dict) and _is_block(content) and (not _type(content) or is_known(_type(content))):
        return _block(content, where, of_tool)
    return [Piece("text", written_json(content))]


def thought(content: Any, where: str) -> list[Piece]:
    """Reasoning that stands beside a content, as pieces; none for an empty one."""
    pieces = content_pieces(content, where)
    if all(piece.kind == "thought" or not piece.text for piece in pieces):
        return pieces
    text = joined(pieces)
    return [_thought(text)] if text else []


def call(content: Any, where: str) -> Piece:
    """The call of a tool: ``{"function": {"name": ..., "arguments": ...}}``, or name and arguments without that wrapper. A
    call of a type of its own, such as ``web_search_call``, has the name of its type; its keys are the arguments.

    Raises:
        BadLine: for a call without a name.
    """
    keys = Keys(content if isinstance(content, dict) else {})
    number = keys.take(CALL_ID_KEYS)
    function = keys.take(FUNCTION_KEYS)
    inner = Keys(function) if isinstance(function, dict) else keys
    name = function if isinstance(function, str) else inner.take(NAME_KEYS)
    arguments = inner.take(ARGUMENT_KEYS)
    if name is None and (name := _named_by_type(content)) and arguments is None:
        arguments = {key: inner.left.pop(key) for key in inner.others() if plain(key) not in ABOUT_CALLS}
    if not isinstance(name, str):
        raise BadLine(f"expected a function with a name in the tool_calls of {where}, found {in_few_words(content)}")
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
    function = next((value[key] for key in keys.find(FUNCTION_KEYS) if isinstance(value[key], dict)), None)
    inner = keys if function is None else Keys(function)
    named = any(isinstance(inner.left[key], str) for key in inner.find(NAME_KEYS))
    return named and (function is not None or bool(inner.find(ARGUMENT_KEYS)))


def call_list(content: Any, where: str) -> list[Any]:
    """The calls of ``tool_calls``: a list, or one call, or the JSON text of either."""
    content = parsed_if_json(content) or []
    if not isinstance(content, (list, dict)):
        raise BadLine(f"expected a list of tool_calls in {where}, found {in_few_words(content)}")
    return content if isinstance(content, list) else [content]


def answered_call(content: Any, where: str, by_tool: bool = False) -> list[Piece]:
    """A call and, if it holds that, its result.

    Args:
        content: the call.
        where: the turn, for messages.
        by_tool: True if a turn of the tool follows; then a result beside the call only repeats it, and is kept.
    """
    keys = Keys(_invoked(content) if isinstance(content, dict) else {})
    held = [] if by_tool else [key for key in keys.find(RESULTS_OF_CALLS) if keys.left[key] not in ("", [], False)][:1]
    said = [keys.left.pop(key) for key in held]
    made = call(keys.left if isinstance(content, dict) else content, where)
    return [made, *(result({"id": made.id, "name": made.name, "content": one}, where) for one in said)]


def result(content: dict[str, Any], where: str) -> Piece:
    """The result of a call of a tool."""
    keys = Keys(content)
    keys.take(["type"])
    number, name = _text_or_none(keys.take(RESULT_ID_KEYS)), _text_or_none(keys.take(NAME_KEYS))
    held = keys.take(RESULT_KEYS)
    of_own_type = is_result_type(_type(held))  # Anthropic's tools answer with objects of types of their own
    text = written_json(held) if of_own_type else joined(content_pieces(held, where, of_tool=True))
    return Piece("result", text, number, name, keys.others())


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


def is_result_type(kind: str) -> bool:
    """True for the plain name of a type of results."""
    return kind in RESULT_TYPES or kind.endswith(RESULT_ENDS)


def is_known(kind: str) -> bool:
    """True for the plain name of a type whose blocks are read."""
    return kind in KNOWN_TYPES or is_result_type(kind)


def _block(block: Any, where: str, of_tool: bool) -> list[Piece]:
    if isinstance(block, str):
        return [Piece("text", block)]
    kind = _type(block)
    if kind in CALL_TYPES:
        return answered_call(block, where)
    if is_result_type(kind):
        return [result(block, where)]
    if of_tool and _is_data(block):
        return [Piece("text", written_json(block))]
    return [_said(block, kind, where)]


def _said(block: Any, kind: str, where: str) -> Piece:
    """A block of a text, a thought or a refusal."""
    keys = Keys(block if isinstance(block, dict) else {})
    keys.take(["type"])
    if keys.left.get("thought") is True and kind in ("", *TEXT_TYPES):  # as Gemini marks what it thinks
        keys.take(["thought"])
        piece = _thought(_inner_text(keys, TEXT_KEYS, block, where))
    elif kind in UNREADABLE_TYPES | SILENT_TYPES:
        return Piece("text", "", others=keys.others())
    elif kind in ("", *TEXT_TYPES):
        piece = Piece("text", _inner_text(keys, TEXT_KEYS, block, where))
    elif kind == "refusal":
        piece = Piece("text", _inner_text(keys, ["refusal", *TEXT_KEYS], block, where))
    elif kind in THOUGHT_TYPES:
        piece = _thought(_inner_text(keys, THOUGHT_KEYS, block, where))
    else:
        raise BadLine(
            f"expected blocks of text, thinking, tool_use or tool_result as content of {where}, found"
            f" {in_few_words(block.get('type'))}; write what it shows as text"
        )
    return Piece(piece.kind, piece.text, others=keys.others())


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


KNOWN_TYPES = {"refusal", *TEXT_TYPES, *THOUGHT_TYPES, *UNREADABLE_TYPES, *SILENT_TYPES, *CALL_TYPES}
ABOUT_CALLS = {"type", "status", "callid", "id"}
"""Plain names of keys of calls that are no arguments."""
_THOUGHTS_BY_KEY = {"reasoningcontent"}
_NAMED_BY_KEY = {*CALL_TYPES, *RESULT_TYPES, "toolresult", "inlinedata", "filedata", "image", "document", "video", "cachepoint"}
_OF_ONE_TOOL = re.compile("tool-(?!call$|result$|use$|invocation$)(?P<name>.+)")
"""Types of the AI SDK's calls, which name their tool: ``tool-weather``."""


def _type(block: Any) -> str:
    kind = block.get("type") if isinstance(block, dict) else None
    if not isinstance(kind, str):
        return ""
    return "dynamictool" if _OF_ONE_TOOL.fullmatch(kind) and "toolCallId" in block else plain(kind)


def _named_by_type(block: Any) -> str | None:
    """The name of the tool that only the type of a call tells: ``web_search`` for ``web_search_call``."""
    if _type(block) not in CALL_TYPES or _type(block) in ("functioncall", "toolcall", "tooluse"):
        return None
    found = _OF_ONE_TOOL.fullmatch(block["type"])
    return found["name"] if found else re.sub("[_-]?call$", "", block["type"])


def _invoked(block: dict[str, Any]) -> dict[str, Any]:
    """A call without the wrapper that the AI SDK puts around it, and without its state."""
    inner = block.get("toolInvocation")
    block = {**block, **inner} if isinstance(inner, dict) else block
    wrapped = isinstance(inner, dict) or ("state" in block and "toolCallId" in block)
    return {key: value for key, value in block.items() if key not in ("toolInvocation", "state")} if wrapped else block


def _is_data(block: Any) -> bool:
    """True for an object of a type of its own that shows nothing, such as a hit of a search."""
    kind = _type(block)
    return bool(kind) and not is_known(kind) and not MEDIA.search(kind) and '"base64"' not in written_json(block)


def _typed(block: Any) -> Any:
    """A block that stands under the name of its type, ``{"functionCall": {...}}``, as one that names its type."""
    if not isinstance(block, dict) or "type" in block:
        return block
    for kind, inner in block.items():
        others = {key: value for key, value in block.items() if key != kind}
        if plain(kind) in _NAMED_BY_KEY and isinstance(inner, dict):
            return {**others, **inner, "type": kind}
        if plain(kind) in _THOUGHTS_BY_KEY and isinstance(inner, dict):  # of Bedrock; it may be encrypted
            return {**others, **inner, "type": "thinking" if "reasoningText" in inner else "redacted_thinking"}
        if kind == "json" and not others:  # data that a tool of Bedrock's answers with
            return {"type": "text", "text": written_json(inner)}
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
