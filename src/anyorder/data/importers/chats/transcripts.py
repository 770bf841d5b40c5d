"""Conversations that stand in one text, with marks or names before what each speaker says."""

from __future__ import annotations

import re
from typing import Any

from anyorder.data.importers.chats.speakers import role_of

_END = r"(?:<\|(?:end|eot_id|eom_id|im_end|endoftext|call|return)\|>|</s>|<end_of_turn>|\Z)"
MARKS = (
    re.compile(rf"<\|im_start\|>(?P<role>[^\n<]+)\n(?P<text>.*?)(?:{_END}|(?=<\|im_start\|>))", re.DOTALL),
    re.compile(rf"<\|start_header_id\|>(?P<role>.+?)<\|end_header_id\|>(?P<text>.*?){_END}", re.DOTALL),
    re.compile(
        r"<\|start\|>(?P<role>\w[\w.]*)(?: to=(?P<recipient>[\w.]+))?"
        r"(?:<\|channel\|>(?P<channel>\w+)(?: to=(?P<to>[\w.]+))?[^<]*)?"
        rf"(?:<\|constrain\|>[^<]*)?<\|message\|>(?P<text>.*?){_END}",
        re.DOTALL,
    ),
    re.compile(rf"<start_of_turn>(?P<role>\w+)\n(?P<text>.*?){_END}", re.DOTALL),
    re.compile(rf"<\|(?P<role>system|user|assistant|tool|observation)\|>(?P<text>.*?)(?:{_END}|(?=<\|\w+\|>))", re.DOTALL),
)
"""How templates of chats mark turns: ChatML, Llama 3, Harmony, Gemma, Zephyr and Phi."""
SPOKEN_NAMES = r"SYSTEM|USER|HUMAN|ASSISTANT|AI|GPT|FUNCTION RESPONSE|FUNCTION CALL|TOOL RESPONSE|TOOL|OBSERVATION"
NAMED_SPEAKERS = {
    "plain": re.compile(rf"^[ \t]*(?P<role>{SPOKEN_NAMES}|{SPOKEN_NAMES.title()}):", re.MULTILINE),
    "headed": re.compile(r"###[ \t]*(?P<role>[A-Za-z]+(?: [A-Za-z]+)?)[ \t]*:"),
}
"""How names stand before what is said: ``USER:`` as in Glaive's files, or ``### Human:``."""
NO_TEXT = re.compile(r"<\|(?:begin_of_text|endoftext|startoftext|end_of_text)\|>|<s>|</s>|<bos>|<eos>")
"""Marks of where texts begin and end."""


def turns_of_text(text: str) -> list[Any] | None:
    """The turns of a text, with ``role`` and ``content``; None for a text that is no conversation of two or more turns.
    What stands before the first mark is the system's."""
    for marks in MARKS:
        found = list(marks.finditer(text))
        if len(found) > 1 and not _between(text, found):
            before = NO_TEXT.sub("", text[: found[0].start()]).strip()
            turns = [{"role": "system", "content": before}] if before else []
            turns += [_marked(one) for one in found]
            return _without_open_end(turns)
    for way, names in NAMED_SPEAKERS.items():
        found = [one for one in names.finditer(text) if role_of(one["role"], {})]
        before = NO_TEXT.sub("", text[: found[0].start()]).strip() if found else ""
        if len(found) > 1 and not (before and way == "plain"):  # a name in the middle of a text may be anything
            system = [{"role": "system", "content": before}] if before else []
            ends = [*(one.start() for one in found[1:]), len(text)]
            said = [NO_TEXT.sub("", text[one.end() : end]).strip() for one, end in zip(found, ends)]
            return _without_open_end([*system, *({"role": one["role"], "content": words} for one, words in zip(found, said))])
    return None


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
