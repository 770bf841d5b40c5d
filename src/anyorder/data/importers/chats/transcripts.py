"""Conversations that stand in one text, with marks or names before what each speaker says.

| the text | such as |
|---|---|
| marks that name the speaker | `<|im_start|>user`, `<|start_header_id|>user<|end_header_id|>`, Harmony, Gemma, Zephyr |
| instructions in brackets | `[INST] ... [/INST]`, see `anyorder.data.importers.chats.instructions` |
| names at the beginning of lines | `USER: ...`, `### Human: ...` |
| names within lines | Vicuna's `A chat between ... USER: ... ASSISTANT: ...</s>` |
"""

from __future__ import annotations

import re
from typing import Any

from anyorder.data.importers.chats.instructions import turns_of_instructions
from anyorder.data.importers.chats.speakers import role_of

_END = r"(?:<\|(?:end|eot_id|eom_id|eot|eom|im_end|endoftext|call|return)\|>|</s>|<end_of_turn>|\Z)"
_HEAD, _HEAD_END = r"<\|(?:start_header_id|header_start)\|>", r"<\|(?:end_header_id|header_end)\|>"
MARKS = (
    re.compile(rf"<\|im_start\|>(?P<role>[^\n<]+)(?:\n|<\|im_sep\|>)(?P<text>.*?)(?:{_END}|(?=<\|im_start\|>))", re.DOTALL),
    re.compile(rf"{_HEAD}(?P<role>[^<]+?){_HEAD_END}(?P<text>.*?)(?:{_END}|(?={_HEAD}))", re.DOTALL),
    re.compile(
        r"<\|start\|>(?P<role>\w[\w.]*)(?: to=(?P<recipient>[\w.]+))?"
        r"(?:<\|channel\|>(?P<channel>\w+)(?: to=(?P<to>[\w.]+))?[^<]*)?"
        rf"(?:<\|constrain\|>[^<]*)?<\|message\|>(?P<text>.*?){_END}",
        re.DOTALL,
    ),
    re.compile(rf"<start_of_turn>(?P<role>\w+)\n(?P<text>.*?){_END}", re.DOTALL),
    re.compile(rf"<\|(?P<role>system|user|assistant|tool|observation)\|>(?P<text>.*?)(?:{_END}|(?=<\|\w+\|>))", re.DOTALL),
)
"""How templates of chats mark turns: ChatML (Phi's, too), Llama 3 and 4, Harmony, Gemma, Zephyr."""
SPOKEN_NAMES = r"SYSTEM|USER|HUMAN|ASSISTANT|AI|GPT|FUNCTION RESPONSE|FUNCTION CALL|TOOL RESPONSE|TOOL|OBSERVATION"
NAMED_SPEAKERS = {
    "plain": re.compile(rf"^[ \t]*(?P<role>{SPOKEN_NAMES}|{SPOKEN_NAMES.title()}):", re.MULTILINE),
    "headed": re.compile(r"###[ \t]*(?P<role>[A-Za-z]+(?: [A-Za-z]+)?)[ \t]*:"),
}
"""How names stand before what is said: ``USER:`` as in Glaive's files, or ``### Human:``."""
WITHIN_LINES = re.compile(r"(?:\A|(?<=\s)|(?<=</s>))(?P<role>USER|ASSISTANT):")
"""Vicuna's names, which stand anywhere in a line."""
VICUNA_BEGINS = re.compile(r"(?:A|The following is a) (?:chat|conversation|dialogue) between ")
NO_TEXT = re.compile(r"<\|(?:begin_of_text|endoftext|startoftext|end_of_text)\|>|<s>|</s>|<bos>|<eos>")
"""Marks of where texts begin and end."""


def turns_of_text(text: str) -> list[Any] | None:
    """The turns of a text, with ``role`` and ``content``; None for a text that is no conversation of two or more turns.
    What stands before the first mark is the system's.

    Raises:
        BadLine: for instructions in brackets that are not closed.
    """
    return turns_of_marks(text) or _vicuna(text) or _named(text)


def turns_of_marks(text: str, least: int = 2) -> list[Any] | None:
    """The same, of texts alone that the template of a model has written: names before turns do not count. ``least``: how many
    turns must be marked."""
    for marks in MARKS:
        found = list(marks.finditer(text))
        if len(found) >= least and not _between(text, found):
            return _without_open_end([*_before(text, found[0]), *map(_marked, found)])
    return turns_of_instructions(text)


def _vicuna(text: str) -> list[Any] | None:
    """Names that stand within lines: only where they alternate, and where an opening or ``</s>`` shows that they are names."""
    found = list(WITHIN_LINES.finditer(text))
    roles = [one["role"] for one in found]
    if len(found) < 2 or roles != [("USER", "ASSISTANT")[number % 2] for number in range(len(found))]:
        return None
    before = _before(text, found[0])
    others = [one["role"] for one in NAMED_SPEAKERS["plain"].finditer(text) if one["role"] not in roles]
    shown = VICUNA_BEGINS.match(before[0]["content"]) if before else "</s>" in text
    return None if others or not shown else _without_open_end([*before, *_spoken(text, found)])


def _named(text: str) -> list[Any] | None:
    for way, names in NAMED_SPEAKERS.items():
        found = [one for one in names.finditer(text) if role_of(one["role"], {})]
        before = _before(text, found[0]) if found else []
        if len(found) > 1 and not (before and way == "plain"):  # a name in the middle of a text may be anything
            return _without_open_end([*before, *_spoken(text, found)])
    return None


def _before(text: str, first: re.Match[str]) -> list[Any]:
    """The system's turn, where something stands before the first mark or name."""
    before = NO_TEXT.sub("", text[: first.start()]).strip()
    return [{"role": "system", "content": before}] if before else []


def _spoken(text: str, found: list[re.Match[str]]) -> list[Any]:
    """A turn for each name: what stands between it and the next one."""
    ends = [*(one.start() for one in found[1:]), len(text)]
    return [{"role": one["role"], "content": NO_TEXT.sub("", text[one.end() : end]).strip()} for one, end in zip(found, ends)]


def _between(text: str, found: list[re.Match[str]]) -> str:
    """What stands between and after turns, and belongs to none."""
    starts = [*(one.start() for one in found[1:]), len(text)]
    return "".join(NO_TEXT.sub("", text[one.end() : start]).strip() for one, start in zip(found, starts))


def _marked(found: re.Match[str]) -> dict[str, Any]:
    groups = found.groupdict()
    role, recipient = groups["role"].strip(), groups.get("recipient") or groups.get("to")
    turn = {"role": role, "content": groups["text"].strip()}
    if groups.get("channel"):
        turn["channel"] = groups["channel"]
    if recipient:
        turn["recipient"] = recipient
    if "." in role and role_of(role, {}) is None:  # Harmony: the name of the tool speaks
        turn |= {"role": "tool", "name": role}
    return turn


def _without_open_end(turns: list[Any]) -> list[Any]:
    """The turns without a last one of the agent that only asks a model to go on."""
    last = turns[-1]
    return turns[:-1] if not last["content"] and role_of(last["role"], {}) == "assistant" and len(turns) > 1 else turns
