"""How files write a turn, brought to one way: an object with a speaker and a content.

| a turn | what becomes of it |
|---|---|
| `{"role": ..., "content": ...}`, by any names | itself |
| `["a question", "an answer"]`, `{"instruction": ..., "output": ...}` | a turn of the user and one of the agent |
| `{"human": ..., "assistant": ...}` | a turn of each |
| `{"thought": ..., "action": ..., "observation": ...}` | a turn of the agent and one of the tool, in the order of the keys |
| `{"type": "function_call", ...}` and the like (OpenAI's Responses) | a turn of the agent, or of the tool |
| `{"type": "human", "data": {...}}`, `{"id": [..., "HumanMessage"], "kwargs": {...}}` (LangChain) | a turn of the user |
| `{"source": "agent", "action": "run", "args": {...}}` (OpenHands) | a turn that calls a tool, or that says a message |
| `{"source": "coder", "type": "ToolCallRequestEvent", ...}` (AutoGen) | the same, or the result of one |
| `{"role": ..., "tool_calls": ..., "observation": ...}` (ATIF) | a turn of the agent and one of the tool |
| `{"channel": "analysis", ...}` (Harmony) | a turn in which the agent thinks |
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard

from anyorder.data.importers.chats.contents import (
    ARGUMENT_KEYS,
    CALL_TYPES,
    MEDIA,
    REASONING_KEYS,
    THOUGHT_TYPES,
    is_call,
    is_result_type,
)
from anyorder.data.importers.chats.exchanges import answer_within
from anyorder.data.importers.chats.speakers import CALL_ROLES, ROLE_KEYS, ROLES, SOURCE_KEY, THOUGHT_ROLES, role_of
from anyorder.data.importers.chats.values import BadLine, Keys, in_few_words, parsed_if_json, plain, written_json

CONTENT_KEYS = ("content", "value", "text", "parts", "message", "utterance", "contents", "systemprompt")
PROMPT_KEYS = (
    *("instruction", "prompt", "question", "query", "problem", "userprompt", "usermessage", "userinput", "input"),
    *("task", "goal", "problemstatement", "intent", "objective", "taskdescription"),
)
INPUT_KEYS = ("input", "context")
"""Plain names of what an instruction is about."""
ANSWER_KEYS = (
    *("output", "completion", "response", "answer", "answers", "solution", "modelresponse", "reply", "assistantresponse"),
    *("chosenresponse", "target"),
)
ACTION_KEYS = ("action", "actions", "act", "toolcall", "toolcalls", "functioncall", "command", "finalanswer")
OBSERVATION_KEYS = ("observation", "obs", "observations", "envobservation", "state", "result", "toolresult", "tooloutput")

SEEN_KEYS = ("observation", "observations", "toolresults")
"""Plain names of what was observed, beside what the agent says."""


def plain_turns(turn: Any, number: int, own: Mapping[str, str]) -> list[dict[str, Any]]:
    """The turns that an entry of a list of turns stands for, each with a speaker and a content.

    Args:
        turn: the entry.
        number: its place in the list; texts alone are the user's and the agent's in alternation.
        own: names of speakers, as of `role_of`.

    Raises:
        BadLine: for an entry that is no turn.
    """
    if isinstance(turn, str):
        return [{"role": ("user", "assistant")[number % 2], "content": turn}]
    if isinstance(turn, list) and len(turn) == 2 and all(one is None or isinstance(one, str) for one in turn):
        said = zip(("user", "assistant"), turn)
        return [{"role": role, "content": one} for role, one in said if one is not None]
    if isinstance(turn, list) and is_step(turn):
        return [{"role": "assistant", "tool_calls": [turn[0]]}, {"role": "tool", "content": turn[1]}]
    if isinstance(turn, list) and all(map(_is_object, turn)) and any(map(_is_event, turn)):  # an action and what came of it
        return [_of_event(one) for one in turn if one.get("observation") != "null"]
    if isinstance(turn, list) and any(_is_object(one) for one in turn):
        raise BadLine(
            f"expected turn {number} to be a JSON object, found a list of objects; if each list is a conversation of its own,"
            " make it a line of its own"
        )
    if not isinstance(turn, dict):
        raise BadLine(f"expected turn {number} to be a JSON object, found {in_few_words(turn)}")
    turn = _flattened(_unwrapped(turn, own))
    keys = Keys(turn)
    if not keys.find(ROLE_KEYS):
        return _of_two_speakers(keys, own) or _of_response(turn, number, own) or [turn]
    return _with_observation(_with_thoughts_and_calls(turn, keys))


def pair(keys: Keys) -> list[dict[str, Any]] | None:
    """A prompt and its answer, as a turn of the user and one of the agent; None where either is missing. Takes their keys,
    and those of the reasoning."""
    answers = keys.find(ANSWER_KEYS)
    prompt = next((key for key in keys.find(PROMPT_KEYS) if isinstance(keys.left[key], str)), None)
    if prompt is None or not answers:
        return None
    said = [keys.left.pop(prompt)]
    said += [keys.left.pop(key) for key in keys.find(INPUT_KEYS) if isinstance(keys.left[key], str)]
    answer = keys.left.pop(answers[0])
    user = {"role": "user", "content": "\n".join(part for part in said if part)}
    if isinstance(answer, (list, dict)) and (found := answer_within(answer)) is not None:
        turns, rest = found
        keys.left |= {} if rest is None else {answers[0]: rest}
        return [user, *turns]
    calls = parsed_if_json(answer)
    made = isinstance(calls, list) and bool(calls) and all(is_call(one) for one in calls)
    reasoning = {key: keys.left.pop(key) for key in keys.find(REASONING_KEYS)}
    action = {"role": "assistant", **reasoning, **({"tool_calls": calls} if made else {"content": answer})}
    return [user, action]


def is_step(turn: Any) -> bool:
    """True for an entry that has an action and no speaker, or pairs a call with its result, as LangChain does."""
    if isinstance(turn, list):
        return len(turn) == 2 and is_call(turn[0])
    if not isinstance(turn, dict):
        return False
    keys = Keys(turn)
    return not keys.find((*ROLE_KEYS, "source")) and bool(keys.find(ACTION_KEYS))


def _unwrapped(turn: dict[str, Any], own: Mapping[str, str]) -> dict[str, Any]:
    """A turn whose speaker or content lies one level deeper, with both beside its other keys."""
    keys = Keys(turn)
    kind, inner = (
        turn.get("type"),
        next((turn[key] for key in ("data", "kwargs", "message") if _is_object(turn.get(key))), None),
    )
    if inner is not None and not keys.find(ROLE_KEYS):
        outer = {key: value for key, value in turn.items() if value is not inner}
        if turn.get("lc") and isinstance(turn.get("id"), list) and turn["id"]:
            return {key: value for key, value in inner.items() if key != "type"} | {"role": turn["id"][-1]}
        if role_of(inner.get("role"), own):
            return {key: value for key, value in {**outer, **inner}.items() if key != "type"}
        if role_of(kind, own):
            return {key: value for key, value in {**outer, **inner}.items() if key != "type"} | {"role": kind}
    if _is_event(turn) and not keys.find(ROLE_KEYS):
        return _of_event(turn)
    if not isinstance(kind, str):
        return _of_source(turn)
    others = {key: value for key, value in turn.items() if key != "type"}
    if keys.find(ROLE_KEYS):
        return others if kind == "message" or role_of(kind, own) else turn
    if role_of(kind, own) and SOURCE_KEY in turn:  # AutoGen: the source is the agent's name
        return {"name": turn[SOURCE_KEY], **{key: value for key, value in others.items() if key != SOURCE_KEY}, "role": kind}
    if is_result_type(plain(kind)):
        return {"role": "tool", "content": [turn]}
    shows = MEDIA.search(plain(kind)) and not keys.find(ACTION_KEYS)  # which is refused with the reason
    if plain(kind) in CALL_TYPES | THOUGHT_TYPES or shows:
        return {"role": "assistant", "content": [turn]}
    if plain(kind) == "mcplisttools":
        return {"role": "system", **others}
    return {**others, "role": kind} if role_of(kind, own) else _of_source(turn)


def _of_source(turn: dict[str, Any]) -> dict[str, Any]:
    """A turn whose ``source`` is its speaker, where nothing else names one."""
    if not isinstance(turn.get(SOURCE_KEY), str) or Keys(turn).find(ROLE_KEYS) or not Keys(turn).find(CONTENT_KEYS):
        return turn
    spoken = isinstance(turn.get("type"), str) and turn["type"].endswith("Message")
    dropped = (SOURCE_KEY, "type") if spoken else (SOURCE_KEY,)
    return {**{key: value for key, value in turn.items() if key not in dropped}, "role": turn[SOURCE_KEY]}


def _flattened(turn: dict[str, Any]) -> dict[str, Any]:
    """A turn with what LangChain keeps of it aside: calls and reasoning, unless they stand in the turn as well."""
    aside = turn.get("additional_kwargs")
    if not _is_object(aside):
        return turn
    said = (*REASONING_KEYS, "toolcalls", "functioncall", "refusal")
    moved = {key: aside[key] for key in Keys(aside).find(said) if not turn.get(key)}
    left = {key: value for key, value in aside.items() if key not in moved}
    others = {key: value for key, value in turn.items() if key != "additional_kwargs"}
    return {**others, **moved, **({"additional_kwargs": left} if left else {})}


def _is_event(turn: Any) -> bool:
    """True for an event of OpenHands: an action or an observation, and who it comes from."""
    if not _is_object(turn) or turn.get("source") not in ("user", "agent", "environment"):
        return False
    return ("action" in turn) != isinstance(turn.get("observation"), str)


def _of_event(event: dict[str, Any]) -> dict[str, Any]:
    """A turn from an event of OpenHands, which is an action with arguments, or an observation with a content."""
    others = {key: value for key, value in event.items() if key not in ("source", "action", "args", "observation", "message")}
    if "action" not in event:
        return {**others, "role": "tool", "name": event.get("observation")}
    arguments = dict(event["args"]) if _is_object(event.get("args")) else {}
    thought = arguments.pop("thought", None)
    role = "system" if event["action"] == "system" else event.get("source", "agent")
    summary = event.get("message")
    if event["action"] in ("message", "system"):
        return {**others, "role": role, "content": arguments.pop("content", summary), **arguments}
    others |= {} if summary is None else {"event.message": summary}  # for people: the agent has not said it
    call = {"name": event["action"], "arguments": arguments}
    return {**others, "role": role, "thought": thought, "tool_calls": [call]}


def _of_two_speakers(keys: Keys, own: Mapping[str, str]) -> list[dict[str, Any]] | None:
    """The turns of an entry without a speaker: a step of an episode, a pair, or an object whose keys are speakers."""
    turns = _of_step(keys) if keys.find(ACTION_KEYS) else _of_pair(keys) or _of_named(keys, own)
    if turns:  # what else the entry says, such as a flag, is about what the agent does
        turns[-1 if turns[-1]["role"] == "assistant" else 0] |= keys.left
    return turns


def _with_observation(turn: dict[str, Any]) -> list[dict[str, Any]]:
    """A turn of the agent, and one of the tool where it holds what was observed: after it or, if that stands first, before."""
    keys = Keys(turn)
    key = next(iter(keys.find(SEEN_KEYS)), None)
    if key is None or role_of(turn[keys.find(ROLE_KEYS)[0]], {}) != "assistant":
        return [turn]
    seen = keys.left.pop(key)
    results = seen.get("results") if _is_object(seen) else None
    if isinstance(results, list) and all(map(_is_object, results)):
        seen = [{**one, "type": "tool_result"} for one in results]
    said = next(iter(keys.find((*CONTENT_KEYS, *ACTION_KEYS, "toolcalls"))), key)
    turns = [keys.left, {"role": "tool", "content": seen}]
    return turns if list(turn).index(said) < list(turn).index(key) else turns[::-1]


def _of_response(turn: dict[str, Any], number: int, own: Mapping[str, str]) -> list[dict[str, Any]]:
    """The turns of an entry that is a service's response, as some logs have them; what else it says is kept with the last."""
    found = answer_within(turn)
    if found is None or found[0] == [turn]:
        return []
    turns, rest = found
    said = [one for turn in turns for one in plain_turns(turn, number, own)]
    return [*said[:-1], {**(rest or {}), **said[-1]}]


def _of_pair(keys: Keys) -> list[dict[str, Any]] | None:
    turns = pair(keys)
    system = keys.take(["system"]) if turns else None
    return [{"role": "system", "content": system}, *turns] if turns and system else turns


def _of_step(keys: Keys) -> list[dict[str, Any]]:
    order = list(keys.left)
    action = keys.find(ACTION_KEYS)[0]
    observation = next(iter(keys.find(OBSERVATION_KEYS)), None)
    done = keys.left.pop(action)
    agent = {"role": "assistant", **{key: keys.left.pop(key) for key in keys.find(REASONING_KEYS)}}
    arguments = keys.take(("actioninput", *ARGUMENT_KEYS)) if isinstance(done, str) else None
    if arguments is not None:
        done = {"name": done, "arguments": arguments}
    calls = done if isinstance(done, list) else [done]
    agent |= {"tool_calls": calls} if calls and all(map(is_call, calls)) else {"content": done}
    if observation is None:
        return [agent]
    seen = {"role": "tool", "content": keys.left.pop(observation)}
    return [agent, seen] if order.index(action) < order.index(observation) else [seen, agent]


def _of_named(keys: Keys, own: Mapping[str, str]) -> list[dict[str, Any]] | None:
    """A turn for each key that names a speaker and holds a text."""
    known = ROLES | dict(own)
    said = [key for key, value in keys.left.items() if plain(key) in known and isinstance(value, str)]
    return [{"role": known[plain(key)], "content": keys.left.pop(key)} for key in said] or None


def _with_thoughts_and_calls(turn: dict[str, Any], keys: Keys) -> dict[str, Any]:
    """A turn whose speaker, channel or recipient says that its content is a thought or a call, as one that has either."""
    role_key, content_key = keys.find(ROLE_KEYS)[0], next(iter(keys.find(CONTENT_KEYS)), None)
    role, channel, recipient = plain(str(turn[role_key])), keys.left.pop("channel", None), keys.left.pop("recipient", None)
    if content_key is None:
        return turn
    content = turn[content_key]
    if role in THOUGHT_ROLES or (channel == "analysis" and recipient in (None, "all")):
        inner = content if isinstance(content, str) else written_json(content)
        others = {key: value for key, value in keys.left.items() if key not in (role_key, content_key)}
        return {**others, "role": "assistant", "content": [{"type": "thinking", "thinking": inner}]}
    if role == "assistant" and isinstance(recipient, str) and recipient not in ("all", "assistant", "user"):
        others = {key: value for key, value in keys.left.items() if key != content_key}
        return {**others, "tool_calls": [{"name": recipient.removeprefix("functions."), "arguments": content}]}
    if role in CALL_ROLES:
        made = parsed_if_json(content)
        if is_call(made) or (isinstance(made, list) and made and all(is_call(one) for one in made)):
            return {**{key: value for key, value in turn.items() if key != content_key}, "tool_calls": made}
    if channel == "final" or (role == "assistant" and channel is not None) or recipient in ("all", "assistant"):
        return {key: value for key, value in turn.items() if key not in ("channel", "recipient")}
    return turn


def _is_object(value: Any) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)
