"""Formats of chat files, which have one JSON object per line or in one array, and how to read such a line.

| format | key of the turns |
|---|---|
| `sharegpt` (also in ETO) | `conversations` |
| `agentgym` | the same; turns say with `loss` whether they are to be learned |
| `openai` | `messages`, or `contents` (Gemini) |

All formats share the rest, since files mix their keys: a turn has a role, a content and perhaps tool calls, reasoning, a
refusal and a flag that includes it in learning; the line may have a system prompt and tools. Case, hyphens and underscores
in keys and roles make no difference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from anyorder.data.importers.contents import Piece, call, calls, content_pieces, joined, thought
from anyorder.data.importers.values import BadLine, Keys, in_few_words, parsed_if_json, plain, written_json


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
    """

    role: str
    text: str
    asked: bool | None
    others: dict[str, Any]
    calls: tuple[tuple[str | None, str | None], ...] = ()
    answers: str | None = None


@dataclass(frozen=True)
class Conversation:
    """The content of a line.

    Attributes:
        messages: the turns, in order.
        others: all other keys of the line.
    """

    messages: tuple[Message, ...]
    others: dict[str, Any]


SPEAKERS = {
    "system": ("system", "developer"),
    "user": ("human", "user"),
    "assistant": ("gpt", "chatgpt", "assistant", "model", "ai", "bot", "chatbot", "agent", "functioncall", "toolcall"),
    "tool": (
        *("tool", "function", "observation", "environment", "env", "ipython"),
        *("functionresponse", "toolresponse", "functionresult", "toolresult", "functionoutput", "tooloutput"),
    ),
}
"""Role of a turn -> the plain names that files give to a speaker."""
ROLES = {name: role for role, names in SPEAKERS.items() for name in names}
LEARNED = (
    *("loss", "weight", "lossweight", "lossmask", "train", "training", "trainable", "trainonturn"),
    *("learn", "learnable", "learned"),
)
"""Plain names of flags that are true, or 1, for turns that are to be learned."""
UNCLEAR_FLAGS = ("mask", "masked")
"""Plain names of flags that are true for what is learned in some files and for what is left out in others."""
ROLE_KEYS, CONTENT_KEYS = ("role", "from", "speaker"), ("content", "value", "text", "parts")
SYSTEM_KEYS = ("system", "systemprompt", "systeminstruction")
REASONING_KEYS = ("reasoningcontent", "reasoning", "thinking")
TURN_KEYS = {"openai": ("messages", "contents"), "sharegpt": ("conversations", "conversation", "dialog", "dialogue")}
FORMATS = {"sharegpt": TURN_KEYS["sharegpt"], "agentgym": TURN_KEYS["sharegpt"], "openai": TURN_KEYS["openai"]}
"""Format -> the plain names of the key that holds a line's turns."""


def conversation_of(line: Mapping[str, Any], format_name: str) -> Conversation:
    """The conversation in a line. The tools on offer, and then the line's system prompt, become its first system turns.

    Args:
        line: a JSON object.
        format_name: one of `FORMATS`.

    Raises:
        BadLine: for a line that holds no conversation.
    """
    keys = Keys(line)
    found = keys.find(FORMATS[format_name])
    turns = keys.left.pop(found[0]) if found else None
    if not isinstance(turns, list) or not turns:
        raise BadLine(f"expected a list of turns as {FORMATS[format_name][0]}, found {in_few_words(turns)}")
    messages = [message for number, turn in enumerate(turns) for message in _messages(turn, f"turn {number}")]
    instructions = [*_tools(keys), *_system(keys, messages)]
    return Conversation((*instructions, *_in_order_of_calls(messages)), keys.left)


def detect(line: Mapping[str, Any]) -> str:
    """The format of a file, from its first line.

    Raises:
        BadLine: if no format has such a line.
    """
    keys = Keys(line)
    for name, names in TURN_KEYS.items():
        for key in keys.find(names):
            turns = line[key]
            says_loss = isinstance(turns, list) and any(isinstance(turn, dict) and "loss" in turn for turn in turns)
            return "agentgym" if says_loss and name == "sharegpt" else name
    raise BadLine(f"expected a list of turns under the key messages or conversations, found {', '.join(line) or 'no key'}")


def _system(keys: Keys, messages: Sequence[Message]) -> list[Message]:
    """The system prompt that stands at the line, unless the first turn repeats it."""
    found = [key for key in keys.find(SYSTEM_KEYS) if isinstance(keys.left[key], (str, list, dict))]
    content = keys.left.pop(found[0]) if found else None
    content = Keys(content).take(CONTENT_KEYS) if isinstance(content, dict) else content
    text = joined(content_pieces(content, "the line's system prompt"))
    repeated = messages[0].role == "system" and messages[0].text == text
    return [Message("system", text, None, {})] if text and not repeated else []


def _tools(keys: Keys) -> list[Message]:
    """The tools on offer, for each key that names some."""
    offered = []
    for name in ("tools", "functions"):
        for key in keys.find([name]):
            tools = parsed_if_json(keys.left[key])
            if tools:
                del keys.left[key]
                offered.append(
                    Message("system", f"Tools: {tools if isinstance(tools, str) else written_json(tools)}", None, {})
                )
    return offered


def _messages(turn: Any, where: str) -> Iterator[Message]:
    """The messages of a turn: one, or several where it holds results of tools."""
    if not isinstance(turn, dict):
        raise BadLine(f"expected {where} to be a JSON object, found {in_few_words(turn)}")
    keys = Keys(turn)
    role, offered = _role(keys, where), []
    if role == "system":
        offered = _tools(keys)
    pieces = content_pieces(keys.take(CONTENT_KEYS), where)
    if role == "assistant":
        pieces = [*_reasoning(keys, where), *pieces, *content_pieces(keys.take(["refusal"]), where)]
        pieces += calls(keys.take(["toolcalls"]), where)
        legacy = keys.take(["functioncall"])
        pieces += [call(legacy, where)] if legacy else []
    if not pieces:
        raise BadLine(f"expected content or tool_calls in {where}, found neither")
    asked, answers = _asked(keys, where), keys.find(["toolcallid"])
    others = keys.left
    yield from offered
    for is_result, group in groupby(pieces, key=lambda piece: piece.kind == "result"):
        for part in [[piece] for piece in group] if is_result else [list(group)]:
            said = _said(part, others)
            if is_result:
                yield Message("tool", part[0].text, asked, said, answers=part[0].id)
            else:
                number = others[answers[0]] if answers else None
                made = tuple((piece.id, piece.name) for piece in part if piece.kind == "call")
                yield Message(role, joined(part), asked, said, made, number if isinstance(number, str) else None)


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
    return found


def _role(keys: Keys, where: str) -> str:
    found = keys.find(ROLE_KEYS)
    key = found[0] if found else ROLE_KEYS[0]
    role = keys.left.pop(key, None)
    if not isinstance(role, str) or plain(role) not in ROLES:
        raise BadLine(f"expected one of {', '.join(ROLES)} as {key!r} of {where}, found {in_few_words(role)}")
    return ROLES[plain(role)]


def _reasoning(keys: Keys, where: str) -> list[Piece]:
    """What the agent thinks before it speaks; a text that stands under two keys counts once."""
    found: list[Piece] = []
    for key in keys.find(REASONING_KEYS):
        found += [piece for piece in thought(keys.left.pop(key), where) if piece not in found]
    return found


def _asked(keys: Keys, where: str) -> bool | None:
    """What a turn's flags say about learning it, None where they say nothing; takes them.

    Raises:
        BadLine: for a value that is not a truth value, flags that contradict one another, and a flag without a clear meaning.
    """
    keys.drop_nulls(LEARNED)
    said: dict[str, bool] = {}
    for key in keys.find(LEARNED):
        value = keys.left.pop(key)
        if not isinstance(value, (bool, int, float)) or value not in (0, 1):
            raise BadLine(f"expected true, false, 1, 0 or null as {key} of {where}, found {in_few_words(value)}")
        said[key] = bool(value)
    if len(set(said.values())) > 1:
        raise BadLine(f"expected flags that agree about learning {where}, found {said}; leave one of them out")
    if unclear := keys.find(UNCLEAR_FLAGS):
        raise BadLine(
            f"expected a flag such as loss (true for what is learned), found {unclear[0]} in {where}, which means that in"
            " some files and the opposite in others; rename it to loss and make it false where a turn is not to be learned"
        )
    return next(iter(said.values()), None)


def _in_order_of_calls(messages: Sequence[Message]) -> list[Message]:
    """The messages, where the results of one turn's calls follow in the order of the calls. Where several calls have not one
    result each, the name of its tool stands before each result."""
    found: list[Message] = []
    start = 0
    while start < len(messages):
        end = start + 1
        while end < len(messages) and messages[end].role == "tool":
            end += 1
        found += [messages[start], *_matched(messages[start].calls, messages[start + 1 : end])]
        start = end
    return found


def _matched(made: Sequence[tuple[str | None, str | None]], results: Sequence[Message]) -> list[Message]:
    ids = [number for number, _ in made]
    if len(made) < 2 or not results or any(result.answers not in ids for result in results):
        return list(results)
    if sorted(ids, key=str) == sorted((result.answers for result in results), key=str):
        return sorted(results, key=lambda result: ids.index(result.answers))
    names = dict(made)
    named = [_with_name(result, names[result.answers]) for result in results]
    return sorted(named, key=lambda result: ids.index(result.answers))


def _with_name(result: Message, name: str | None) -> Message:
    return Message(result.role, f"{name}: {result.text}", result.asked, result.others, result.calls, result.answers)
