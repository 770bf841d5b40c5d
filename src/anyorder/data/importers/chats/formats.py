"""From a line of a chat file to a conversation, whatever the line's shape.

All formats share what a turn is, since files mix their keys: it has a speaker, a content and perhaps tool calls, reasoning, a
refusal and a flag that includes it in learning; the line may have a system prompt and tools. Case, hyphens and underscores
in keys and roles make no difference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from anyorder.data.importers.chats.advice import without_agent
from anyorder.data.importers.chats.contents import (
    NAME_KEYS,
    REASONING_KEYS,
    RESULT_ID_KEYS,
    RESULT_KEYS,
    Piece,
    answered_call,
    call,
    call_list,
    content_pieces,
    joined,
    thought,
)
from anyorder.data.importers.chats.flags import take_asked, with_flags_of_line
from anyorder.data.importers.chats.message import Conversation, Message
from anyorder.data.importers.chats.results import in_order_of_calls
from anyorder.data.importers.chats.shapes import turns_of_line
from anyorder.data.importers.chats.speakers import ROLE_KEYS, role_of, take_role
from anyorder.data.importers.chats.turns import CONTENT_KEYS, plain_turns
from anyorder.data.importers.chats.values import BadLine, Keys, in_few_words, parsed_if_json, plain, written_json

SYSTEM_KEYS = (
    *("system", "systemprompt", "systeminstruction", "systemmessage", "instructions", "preprompt", "preamble"),
    "metainstruction",
)
TOOLS_KEYS = (
    *("tools", "functions", "availabletools", "toolschemas", "tooldefinitions", "functiondefinitions", "apis"),
    "toolconfig",
)
CALLS_KEYS = ("toolcalls", "toolcall", "functioncalls")
INVOCATION_KEYS = ("toolinvocations",)
"""Plain names of calls that hold their results, and are made before the text beside them is said."""


def conversation_of(line: Any, format_name: str, own_roles: Mapping[str, str] | None = None) -> Conversation:
    """The conversation in a line. The tools on offer, and then the line's system prompt, become its first system turns.

    Args:
        line: a JSON object, or a list of turns.
        format_name: one of `anyorder.data.importers.chats.shapes.FORMATS`.
        own_roles: name of a speaker -> its role, for names that are not known, or mean something else.

    Raises:
        BadLine: for a line that holds no conversation.
    """
    own = {plain(str(name)): role for name, role in (own_roles or {}).items()}
    turns, keys = turns_of_line(line, format_name)
    if strange := [
        number for number, turn in enumerate(turns) if isinstance(turn, str) and not isinstance(turns[number - 1], str)
    ]:
        raise BadLine(f"expected turn {strange[0]} to be a JSON object, found {in_few_words(turns[strange[0]])}")
    numbered = [
        (number, one) for number, turn in enumerate(with_flags_of_line(keys, turns)) for one in plain_turns(turn, number, own)
    ]
    answered = [_is_tools(one, own) for _, one in numbered[1:]] + [False]
    messages = [
        message
        for (number, one), by_tool in zip(numbered, answered)
        for message in _messages(one, f"turn {number}", own, by_tool)
    ]
    if not any(message.role == "assistant" for message in messages):
        raise BadLine(without_agent(line, messages))
    instructions = [*_tools(keys), *_system(keys, messages)]
    return Conversation((*instructions, *in_order_of_calls(messages)), keys.left)


def _system(keys: Keys, messages: Sequence[Message]) -> list[Message]:
    """The system prompt that stands at the line, unless the first turn repeats it."""
    found = [key for key in keys.find(SYSTEM_KEYS) if isinstance(keys.left[key], (str, list, dict))]
    content = keys.left.pop(found[0]) if found else None
    content = Keys(content).take(CONTENT_KEYS) if isinstance(content, dict) else content
    text = joined(content_pieces(content, "the line's system prompt"))
    repeated = any(message.role == "system" and message.text == text for message in messages[:1])
    return [Message("system", text, None, {})] if text and not repeated else []


def _tools(keys: Keys) -> list[Message]:
    """The tools on offer, for each key that names some."""
    offered = []
    for key in keys.find(TOOLS_KEYS):
        tools = parsed_if_json(keys.left.pop(key))
        tools = tools["tools"] if isinstance(tools, dict) and list(tools) == ["tools"] else tools
        if tools:
            text = tools if isinstance(tools, str) else written_json(tools)
            offered.append(Message("system", f"Tools: {text}", None, {}))
    return offered


def _messages(turn: dict[str, Any], where: str, own: Mapping[str, str], by_tool: bool) -> Iterator[Message]:
    """The messages of a turn: one, or several where it holds results of tools. ``by_tool``: a tool's turn follows, so that
    results beside their calls only repeat what it says."""
    keys = Keys(turn)
    role, _ = take_role(keys, where, own)
    offered = _tools(keys) if role == "system" else []
    content = keys.take(CONTENT_KEYS)
    if role == "tool":
        content = keys.take(RESULT_KEYS) if content is None else content
        pieces = content_pieces(_results(content), where, of_tool=True)
    else:
        pieces = content_pieces(content, where)
    if role == "assistant":
        pieces = [*_reasoning(keys, pieces, where), *pieces, *content_pieces(keys.take(["refusal"]), where)]
    if role in ("assistant", "user"):  # a simulated user may have tools of its own
        pieces = _with_calls(keys, pieces, where, by_tool)
    if not pieces and not offered:
        raise BadLine(f"expected content or tool_calls in {where}, found neither; write an empty text if it says nothing")
    asked, answers = take_asked(keys, where, role), keys.find(RESULT_ID_KEYS[:3])
    others = keys.others()
    yield from offered if pieces else [*offered[:-1], replace(offered[-1], others=others)]
    for is_result, group in groupby(pieces, key=lambda piece: piece.kind == "result"):
        for part in [[piece] for piece in group] if is_result else [list(group)]:
            said = _said(part, others)
            made = tuple((piece.id, piece.name) for piece in part if piece.kind == "call")
            number = part[0].id if is_result else None
            number = others[answers[0]] if number is None and answers else number
            name = part[0].name if is_result else None
            name = name or next((keys.left[key] for key in keys.find(NAME_KEYS)), None)
            identity = [one if isinstance(one, str) else None for one in (number, name)]
            yield Message("tool" if is_result else role, joined(part), asked, said, made, *identity)


def _with_calls(keys: Keys, said: Sequence[Piece], where: str, by_tool: bool) -> list[Piece]:
    """What a turn says and the calls beside it. A call that stands in what is said, too, is made once."""
    known = {piece.id for piece in said if piece.kind == "call" and piece.id is not None}
    asks = [answered_call(one, where, by_tool) for one in call_list(keys.take(CALLS_KEYS), where)]
    legacy = keys.take(["functioncall"])
    asks += [[call(legacy, where)]] if legacy and not asks else []
    before = [piece for one in call_list(keys.take(INVOCATION_KEYS), where) for piece in answered_call(one, where, by_tool)]
    return [*before, *said, *(piece for pieces in asks if pieces[0].id not in known for piece in pieces)]


def _is_tools(turn: dict[str, Any], own: Mapping[str, str]) -> bool:
    """True for a turn of a tool."""
    return any(role_of(turn[key], own) == "tool" for key in Keys(turn).find(ROLE_KEYS)[:1])


def _results(content: Any) -> Any:
    """The content of a tool's turn, where results that name their calls are blocks that say so."""
    given = content if isinstance(content, list) else [content]
    if not all(isinstance(one, dict) and "type" not in one and Keys(one).find(RESULT_ID_KEYS[:3]) for one in given):
        return content
    return [{**one, "type": "tool_result"} for one in given]


def _said(pieces: Sequence[Piece], others: Mapping[str, Any]) -> dict[str, Any]:
    """What a message says besides its text: the other keys of its turn and of its pieces, and the ids of its calls."""
    found = dict(others)
    for piece in pieces:
        for key, value in piece.others.items():
            found.setdefault(f"content.{key}", []).append(value)
    if ids := [piece.id for piece in pieces if piece.kind == "call" and piece.id is not None]:
        found["tool_call_ids"] = ids
    if pieces[0].kind == "result" and pieces[0].id is not None:
        found["tool_call_id"] = pieces[0].id
    if pieces[0].kind == "result" and pieces[0].name is not None:
        found["name"] = pieces[0].name
    return found


def _reasoning(keys: Keys, said: Sequence[Piece], where: str) -> list[Piece]:
    """What the agent thinks before it speaks. A text that stands under two keys counts once, and so does one that is
    repeated in what the agent says."""
    found: list[Piece] = []
    for key in keys.find(REASONING_KEYS):
        text = keys.left.pop(key)
        repeated = isinstance(text, str) and any(_begins(piece.text, text.strip()) for piece in said)
        before = [piece.text for piece in found]
        found += [] if repeated else [piece for piece in thought(text, where) if piece.text not in before]
    return found


def _begins(text: str, thought_of: str) -> bool:
    """True for a text that begins with a thought, perhaps between its marks."""
    return text.lstrip().removeprefix("<think>").lstrip().startswith(thought_of)
