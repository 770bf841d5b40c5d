"""Conversations in one text whose instructions stand in brackets, as Llama 2 and Mistral read them.

| tag | what stands in it |
|---|---|
| `[INST] ... [/INST]` | the user's turn; what follows it is the agent's, up to `</s>` or the next tag |
| `<<SYS>> ... <</SYS>>` at its beginning, `[SYSTEM_PROMPT] ...` | the system's |
| `[AVAILABLE_TOOLS] ...` | the tools on offer |
| `[TOOL_CALLS] ...` | calls of tools, after what the agent says |
| `[TOOL_RESULTS] ...` | their results |
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from anyorder.data.importers.chats.values import BadLine, in_few_words, parse_json

CLOSED = ("INST", "SYSTEM_PROMPT", "AVAILABLE_TOOLS", "TOOL_RESULTS")
SILENT = ("<s>", "</s>", "/SYSTEM_PROMPT", "/AVAILABLE_TOOLS")
"""Tags after which nobody speaks before the next one."""
_TAG = re.compile(rf"\[(?P<close>/)?(?P<name>{'|'.join(CLOSED)})\]|\[(?P<call>TOOL_CALLS)\]|</?s>")
_SYSTEM = re.compile(r"\s*<<SYS>>(?P<system>.*?)<</SYS>>(?P<rest>.*)", re.DOTALL)
_RESULT_OF = re.compile(r"(?P<id>[^\[\]{}]*?)\[TOOL_CONTENT\](?P<content>.*)", re.DOTALL)
_CALL_OF = re.compile(r"(?P<name>[\w.-]+)(?:\[CALL_ID\](?P<id>\w+))?\[ARGS\](?P<arguments>.*)", re.DOTALL)


def turns_of_instructions(text: str) -> list[dict[str, Any]] | None:
    """The turns of a text that begins with a tag and holds an instruction and an answer; None for any other text.

    An instruction at the end that is not closed was cut off, and is the user's. Where an instruction follows another at once,
    the answer between them is empty.

    Raises:
        BadLine: for a tag that is not closed before the next one, or a text outside of all tags, so that nobody knows who
            says it.
    """
    pieces = list(_pieces(text))
    if not pieces or pieces[0][0] not in CLOSED or "/INST" not in [name for name, _ in pieces]:
        return None
    turns: list[dict[str, Any]] = []
    for number, (name, said) in enumerate(pieces):
        after = pieces[number + 1][0] if number + 1 < len(pieces) else None
        if name in CLOSED and after != f"/{name}" and not (name == "INST" and after is None):
            raise BadLine(f"expected [/{name}] after each [{name}] of a text, found {_shown(after)} after {in_few_words(said)}")
        if said and name in SILENT:
            raise BadLine(f"expected a tag such as [INST] after {_shown(name)}, found {in_few_words(said)}")
        turns += _turns(name, said) or _empty_answer(name, after)
    return turns


def _shown(name: str | None) -> str:
    return "the end of the text" if name is None else name if name in SILENT[:2] else f"[{name}]"


def _pieces(text: str) -> Iterator[tuple[str, str]]:
    """Each tag's name and the text after it, up to the next one. ``<s>`` and ``</s>`` alone say nothing; text after them is a
    piece of theirs, and so is what stands before the first tag."""
    name, start = "<s>", 0
    for tag in _TAG.finditer(text):
        if name not in SILENT[:2] or text[start : tag.start()].strip():
            yield name, text[start : tag.start()].strip()
        name = tag["call"] or (f"{tag['close'] or ''}{tag['name']}" if tag["name"] else tag.group())
        start = tag.end()
    if name not in SILENT[:2] or text[start:].strip():
        yield name, text[start:].strip()


def _turns(name: str, said: str) -> list[dict[str, Any]]:
    """The turns of a piece; none for one that says nothing and closes what has been read."""
    if name == "INST":
        return _instruction(said)
    if name == "SYSTEM_PROMPT":
        return [{"role": "system", "content": said}]
    if name == "AVAILABLE_TOOLS":
        return [{"role": "system", "content": f"Tools: {said}"}]
    if name == "TOOL_CALLS":
        return [{"role": "assistant", "content": "", "tool_calls": _calls(said)}]
    if name == "TOOL_RESULTS":
        return _results(said)
    return [{"role": "assistant", "content": said}] if said else []


def _empty_answer(name: str, after: str | None) -> list[dict[str, Any]]:
    return [{"role": "assistant", "content": ""}] if name == "/INST" and after == "INST" else []


def _instruction(said: str) -> list[dict[str, Any]]:
    found = _SYSTEM.match(said)
    if found is None and said.startswith("<<SYS>>"):
        raise BadLine(f"expected <</SYS>> after each <<SYS>> of a text, found none after {in_few_words(said)}")
    if found is None:
        return [{"role": "user", "content": said}]
    user = [{"role": "user", "content": found["rest"].strip()}]
    return [{"role": "system", "content": found["system"].strip()}, *user] if found["system"].strip() else user


def _calls(said: str) -> Any:
    """Calls as JSON, or as newer templates write one: a name, ``[ARGS]`` and arguments."""
    call = _CALL_OF.fullmatch(said)
    return [{"id": call["id"], "name": call["name"], "arguments": call["arguments"].strip()}] if call else said


def _results(said: str) -> list[dict[str, Any]]:
    """A turn for each result: JSON with its content and perhaps the call's id, or the id, ``[TOOL_CONTENT]`` and a text."""
    if found := _RESULT_OF.fullmatch(said):
        return [{"role": "tool", "content": found["content"].strip(), "tool_call_id": found["id"].strip()}]
    content: Any = said
    with suppress(json.JSONDecodeError):  # a tool may answer with any text
        content = parse_json(said)
    results = content if isinstance(content, list) and content else [content]
    if all(isinstance(one, dict) and "content" in one for one in results):
        return [{**one, "role": "tool"} for one in results]
    return [{"role": "tool", "content": said}]
