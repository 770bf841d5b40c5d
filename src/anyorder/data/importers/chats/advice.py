"""What to do about lines that hold no conversation of an agent: sentences for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from anyorder.data.importers.chats.exchanges import answer_within
from anyorder.data.importers.chats.message import Message
from anyorder.data.importers.chats.speakers import ROLE_KEYS
from anyorder.data.importers.chats.values import Keys, in_few_words, plain

PREFERENCES = (("chosen", "rejected"), ("preferredoutput", "nonpreferredoutput"), ("chosenresponse", "rejectedresponse"))
"""Plain names of the keys of a better and a worse answer."""
CONVERSATION_KEYS = ("conversationid", "sessionid", "threadid", "dialogueid", "dialogid", "chatid", "episodeid", "trajectoryid")
"""Plain names of keys that say which conversation a turn belongs to."""
TREE_KEYS = ("replies", "children", "parentid", "parent")


def held(line: dict[str, Any]) -> str:
    """The keys of a line that holds no turns, and what to do about those that say why."""
    found = ", ".join(f"{key} ({_kind(value)})" for key, value in list(line.items())[:12]) or "no key"
    advice = next((said for advise in ADVISERS if (said := advise(line))), "")
    return f"{found}: {advice}" if advice else found


def without_agent(line: Any, messages: Sequence[Message]) -> str:
    """Why a line whose turns are read has none of the agent's, and what to do."""
    roles = ", ".join(dict.fromkeys(message.role for message in messages))
    advice = _on_preference(line) if isinstance(line, dict) else ""
    advice = advice or (
        "if these are requests, put each one's answer beside it, as response; if a speaker is the agent under another name, say"
        " so with --roles, as in --roles '{system: assistant}'"
    )
    return f"expected a trajectory: a trajectory must have at least one action; found turns of {roles} alone: {advice}"


def _on_preference(line: dict[str, Any]) -> str:
    keys = Keys(line)
    for better, worse in PREFERENCES:
        if not (keys.find([better]) and keys.find([worse])):
            continue
        (name,) = keys.find([better])[:1]
        turns = next((key for key, one in line.items() if _are_turns(one) and plain(key) not in (better, worse)), None)
        several = isinstance(line[name], list)
        to = f"{{messages: .{name}}}" if several else f"{{prompt, answer: .{name}}}"
        if turns is not None:
            to = f"{{messages: (.{turns} + {f'.{name}' if several else f'[.{name}]'})}}"
        elif not several and not any(isinstance(line.get(key), str) for key in ("prompt", "question", "instruction")):
            to = f"{{text: .{name}}}"
        return f"a preference between two answers; keep the one to learn, as with `jq -c '{to}'`"
    return ""


def _on_turn(line: dict[str, Any]) -> str:
    turns = [one for one in (line, *line.values()) if isinstance(one, dict) and Keys(one).find(ROLE_KEYS)]
    if not turns:
        return ""
    if any(plain(key) in TREE_KEYS for one in (line, *turns) for key in one):
        return (
            "turns of a tree, in which a turn may have several answers; choose the path to learn, and put its turns in order"
            " under messages"
        )
    named = Keys(line).find(CONVERSATION_KEYS)
    to = f"group_by(.{named[0]})[] | {{messages: .}}" if named else "{messages: .}"
    return f"one turn alone; put the turns of each conversation together, as with `jq -c -s '{to}'`"


def _on_conversations(line: dict[str, Any]) -> str:
    if len(line) > 1 and all(map(_are_turns, line.values())):
        return "several conversations under names of their own; make each a line, as with `jq -c '.[]'`"
    return ""


def _on_answer(line: dict[str, Any]) -> str:
    for key in Keys(line).find(("response", "result", "choices", "candidates", "output")):
        if answer_within(line[key]) is not None:
            return f"an answer ({key}) without what it answers; put the request beside it, as messages"
    return ""


def _on_prompt(line: dict[str, Any]) -> str:
    turns = next((key for key, one in line.items() if _are_turns(one) and plain(key) != "messages"), None)
    return f"turns under {turns}; rename that to messages, with the agent's answer at the end" if turns else ""


def _on_literal(line: dict[str, Any]) -> str:
    texts = [key for key, one in line.items() if isinstance(one, str) and one.lstrip()[:2] in ("[{", "{'")]
    if not texts:
        return ""
    return f"{texts[0]} looks like turns written as a text that is not JSON; write it with json.dumps, not with str"


def _is_turn(value: Any) -> bool:
    return isinstance(value, dict) and bool(Keys(value).find(ROLE_KEYS))


def _are_turns(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and _is_turn(value[0])


def _kind(value: Any) -> str:
    return "a text" if isinstance(value, str) else in_few_words(value)


ADVISERS = (_on_preference, _on_turn, _on_conversations, _on_answer, _on_prompt, _on_literal)
"""Each says what is the matter with a line, or nothing."""
