"""Where the lines of chat files hold their turns.

| format | a line |
|---|---|
| `sharegpt` | turns under `conversations` and its like |
| `agentgym` | the same; turns say with `loss` whether they are to be learned |
| `openai` | turns under `messages`, or `contents` (Gemini), perhaps with a response; or the line is the list of turns |
| `responses` | items under `input`, perhaps more under `output` (OpenAI's Responses) |
| `pairs` | a prompt and an answer, perhaps a `history` of pairs before them |
| `steps` | a `trajectory` of actions and observations, or a `history` of turns |
| `text` | one text with marks or names before what each speaker says |
| `chatgpt` | a conversation of ChatGPT's export: a tree of nodes under `mapping` |
| `claude` | a conversation of Claude's export: `chat_messages` with a `sender` |
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from anyorder.data.importers.chats.advice import held
from anyorder.data.importers.chats.exchanges import ALTERNATIVES, answer_within
from anyorder.data.importers.chats.exports.chatgpt import chatgpt_turns
from anyorder.data.importers.chats.exports.claude import claude_turns
from anyorder.data.importers.chats.speakers import ROLE_KEYS, role_of
from anyorder.data.importers.chats.transcripts import turns_of_marks, turns_of_text
from anyorder.data.importers.chats.turns import ANSWER_KEYS, PROMPT_KEYS, is_step, pair
from anyorder.data.importers.chats.values import BadLine, Keys, in_few_words, parsed_if_json, plain

TURN_KEYS = {
    "openai": ("messages", "contents"),
    "sharegpt": (
        *("conversations", "conversation", "dialog", "dialogue", "turns", "chat", "utterances", "chatmessages", "messagelist"),
        "session",
    ),
    "steps": (
        *("history", "chathistory", "trajectory", "traj", "steps", "events", "episode", "interactions", "rollout", "data"),
        "intermediatesteps",
    ),
}
"""Format -> the plain names of the key that holds a line's list of turns."""
NO_TEXTS_ALONE = ("trajectory", "traj", "steps", "events", "episode", "interactions", "rollout")
"""Keys of lists whose texts, if they hold nothing else, are not said by user and agent in alternation."""
TEXT_KEYS_OF_LINES = (
    *("text", "chat", "conversation", "conversations", "dialogue", "dialog", "transcript", "chatml", "messages"),
    *("prompt", "sample"),
)
"""Plain names of the key that holds a text that marks its speakers."""
EARLIER_KEYS = ("history", "chathistory")
"""Plain names of the key that holds what was said before a prompt and its answer."""
RESPONSE_KEYS = ("outputs", "result", *ALTERNATIVES)
"""Plain names of keys that are an answer only where they hold a service's response."""
DEPTH = 3
"""So many objects around a list of turns are looked into."""
Shape = Callable[[Keys], "list[Any] | None"]
"""Takes a line's turns, with the keys that hold them; None for a line of another shape."""


def turns_of_line(line: Any, format_name: str) -> tuple[list[Any], Keys]:
    """The turns of a line as the file has them, and the line's other keys.

    Args:
        line: a JSON object, or a list of turns.
        format_name: one of `FORMATS`.

    Raises:
        BadLine: for a line that holds no turns in this format.
    """
    if isinstance(line, list):
        return _not_empty(line, "the line"), Keys({})
    for candidate in _with_inner(line, format_name):
        keys = Keys(candidate)
        turns = FORMATS[format_name](keys)
        if turns is not None:
            _refuse_others(line, keys, format_name)
            return _not_empty(turns, _main_key(format_name)), keys
    raise BadLine(_expected(format_name, Keys(line)) + _of_another(line))


def detect(line: Any) -> str:
    """The format of a file, from its first line.

    Raises:
        BadLine: if no format has such a line.
    """
    if isinstance(line, list):
        return "openai"
    for name, take in FORMATS.items():
        for candidate in _with_inner(line, name):
            turns = take(Keys(candidate))
            if turns is not None:
                says_loss = any(isinstance(turn, dict) and "loss" in turn for turn in turns)
                return "agentgym" if says_loss and name == "sharegpt" else name
    raise BadLine(
        "expected a list of turns under the key messages or conversations, a prompt and an answer, a text that marks its"
        f" speakers, or a trajectory of actions and observations, found {held(line)}"
    )


def _listed(names: tuple[str, ...]) -> Shape:
    def take(keys: Keys) -> list[Any] | None:
        for key in keys.find(names):
            turns = _unnested(parsed_if_json(keys.left[key]))
            may_be_texts = plain(key) not in NO_TEXTS_ALONE
            if isinstance(turns, list) and (
                not turns or isinstance(turns[0], (dict, list, str) if may_be_texts else (dict, list))
            ):
                del keys.left[key]
                return [*_task_of_steps(keys, turns), *turns, *_last_answer(keys, turns)]
        return None

    return take


def _unnested(turns: Any) -> Any:
    """The turns of a list of one list of turns, as LangChain has it; anything else as it is."""
    alone = isinstance(turns, list) and len(turns) == 1 and isinstance(turns[0], list)
    return turns[0] if alone and turns[0] and all(isinstance(one, dict) for one in turns[0]) else turns


def _responses(keys: Keys) -> list[Any] | None:
    given = next(iter(keys.find(["input"])), None)
    if given is None:
        return None
    before = keys.left.pop(given)
    if isinstance(before, list):
        return [*before, *_taken_answer(keys, before)]
    answered = next((one for key in _last_answer_keys(keys) if (one := answer_within(keys.left[key]))), None)
    if not isinstance(before, str) or answered is None:
        keys.left[given] = before
        return None
    first = [{"role": "user", "content": before}]
    return [*first, *_taken_answer(keys, first)]


def _pairs(keys: Keys) -> list[Any] | None:
    if any(_begins_with_step(keys.left[key]) for key in keys.find(TURN_KEYS["steps"])):
        return None
    for key in keys.find(PROMPT_KEYS):
        asked = keys.left[key]
        asked = [asked] if isinstance(asked, dict) and Keys(asked).find(ROLE_KEYS) else asked
        if isinstance(asked, list) and _last_answer_keys(keys):  # as TRL has it: both are lists of turns
            del keys.left[key]
            return [*asked, *_last_answer(keys, asked)]
    if marked := _marked_pair(keys):
        return marked
    earlier_key = next((key for key in keys.find(EARLIER_KEYS) if isinstance(keys.left[key], list)), None)
    if earlier_key and (asked := keys.find(["message"])) and isinstance(keys.left[asked[0]], str):  # Cohere's name of it
        keys.left.setdefault("prompt", keys.left.pop(asked[0]))
    found = pair(keys)
    if found is None:
        return None
    earlier = keys.left.pop(earlier_key) if earlier_key else None
    return [*(earlier if isinstance(earlier, list) else []), *found]


def _marked_pair(keys: Keys) -> list[Any] | None:
    """The turns of a prompt that the template of a model has written, and of the answer to it, which may go on in it."""
    for prompt in keys.find(PROMPT_KEYS):
        answers = [key for key in keys.find(ANSWER_KEYS) if isinstance(keys.left[key], str)]
        if not answers or not isinstance(keys.left[prompt], str):
            continue
        said, answer = keys.left[prompt], keys.left[answers[0]]
        turns = turns_of_marks(said + answer)
        if turns is None and (before := turns_of_marks(said, least=1)):
            turns = [*before, {"role": "assistant", "content": answer}]
        if turns:
            del keys.left[prompt], keys.left[answers[0]]
            return turns
    return None


def _text(keys: Keys) -> list[Any] | None:
    for key in keys.find(TEXT_KEYS_OF_LINES):
        turns = turns_of_text(keys.left[key]) if isinstance(keys.left[key], str) else None
        if turns:
            del keys.left[key]
            return turns
    return None


FORMATS: dict[str, Shape] = {
    "openai": _listed(TURN_KEYS["openai"]),
    "chatgpt": chatgpt_turns,
    "claude": claude_turns,
    "sharegpt": _listed(TURN_KEYS["sharegpt"]),
    "agentgym": _listed(TURN_KEYS["sharegpt"]),
    "responses": _responses,
    "pairs": _pairs,
    "steps": _listed(TURN_KEYS["steps"]),
    "text": _text,
}
"""Format -> how a line of it holds its turns, in the order in which they are tried."""
OTHERWISE_HELD = {
    "chatgpt": "a tree of nodes as mapping",
    "claude": "a list of chat_messages with a sender each",
    "responses": "a list of items as input",
    "pairs": f"a prompt ({', '.join(PROMPT_KEYS[:4])} ...) and an answer ({', '.join(ANSWER_KEYS[:4])} ...)",
    "text": "one text that marks or names its speakers, as ChatML does, under the key text or chat",
}


def _task_of_steps(keys: Keys, turns: list[Any]) -> list[Any]:
    """The task of an episode that begins with a step: what the line says of it is the user's first turn."""
    if not turns or not is_step(turns[0]):
        return []
    task = next((key for key in keys.find(PROMPT_KEYS) if isinstance(keys.left[key], str)), None)
    return [{"role": "user", "content": keys.left.pop(task)}] if task else []


def _last_answer_keys(keys: Keys) -> list[str]:
    found = [key for key in keys.find(ANSWER_KEYS) if keys.left[key]]
    found += [key for key in keys.find(RESPONSE_KEYS) if answer_within(keys.left[key]) is not None]
    return [key for key in found if isinstance(keys.left[key], (str, list, dict))]


def _last_answer(keys: Keys, turns: list[Any]) -> list[Any]:
    """The agent's last turn, where it stands beside turns that end with another's."""
    last = turns[-1] if turns else None
    if isinstance(last, list) and is_step(last):
        return _taken_answer(keys, turns)
    if not isinstance(last, dict):
        return []
    names = [last[key] for key in (*Keys(last).find(ROLE_KEYS), "type") if key in last]
    role = next((role for name in names if (role := role_of(name, {}))), "user" if last.get("lc") else "assistant")
    return [] if role == "assistant" else _taken_answer(keys, turns)


def _begins_with_step(turns: Any) -> bool:
    turns = parsed_if_json(turns)
    return isinstance(turns, list) and bool(turns) and is_step(turns[0])


def _taken_answer(keys: Keys, turns: list[Any]) -> list[Any]:
    """The agent's turns that stand beside others, or in a service's response to them; what else that says is kept. A response
    may repeat the turns before it."""
    answers = _last_answer_keys(keys)
    if not answers:
        return []
    answer = keys.left.pop(answers[0])
    found = answer_within(answer)
    if found is None and isinstance(answer, dict) and (empty := Keys(answer).find(ALTERNATIVES)):
        raise BadLine(f"expected a message of the agent in the {empty[0]} of {answers[0]}, found none")
    if found is None:
        return answer if isinstance(answer, list) else [{"role": "assistant", "content": answer}]
    said, rest = found
    keys.left |= {} if rest is None else {answers[0]: rest}
    return said[len(turns) :] if said[: len(turns)] == turns else said


def _with_inner(line: dict[str, Any], format_name: str, depth: int = DEPTH) -> Iterator[dict[str, Any]]:
    """The line, and then for each object in it the line with the keys of that object: ``{"body": {"messages": ...}}``. Only
    lists of turns are looked for in there: an object that describes the line may well hold a question and an answer. What
    answers come in is looked into last."""
    yield line
    if not depth or format_name in ("pairs", "text", "chatgpt", "claude"):
        return
    inner = {key: value for key, one in line.items() if isinstance(value := _object(one), dict)}
    for key in sorted(inner, key=lambda key: plain(key) in (*ANSWER_KEYS, *RESPONSE_KEYS)):
        outer = {f"line.{name}" if name in inner[key] else name: other for name, other in line.items() if name != key}
        for one in _with_inner(inner[key], format_name, depth - 1):
            yield {**one, **outer}


def _object(value: Any) -> Any:
    """The object that a JSON text of one stands for; any other value as it is."""
    return parsed_if_json(value) if isinstance(value, str) and value.lstrip().startswith("{") else value


def _refuse_others(line: dict[str, Any], keys: Keys, format_name: str) -> None:
    """Nobody knows which conversation of a line is meant that holds several, each under a name of its own."""
    if format_name not in TURN_KEYS or len(line) < 2 or not all(isinstance(one, dict) for one in line.values()):
        return
    left = [key for key in line if keys.left.get(key) is line[key]]
    if others := [key for key in left if FORMATS[format_name](Keys(line[key])) is not None]:
        raise BadLine(
            f"expected one conversation, found one more as {others[0]}; make each a line of its own, as with `jq -c '.[]'`"
        )


def _not_empty(turns: list[Any], where: str) -> list[Any]:
    if not turns:
        raise BadLine(f"expected a list of turns as {where}, found {in_few_words(turns)}")
    return turns


def _main_key(format_name: str) -> str:
    exported = {"chatgpt": ("mapping",), "claude": ("chat_messages",)}
    return (TURN_KEYS | exported).get("sharegpt" if format_name == "agentgym" else format_name, (format_name,))[0]


def _of_another(line: dict[str, Any]) -> str:
    """What to do about a line of another format than its file's."""
    try:
        return f"; it looks like a line of the format {detect(line)}: files must hold lines of one format each"
    except BadLine:
        return ""


def _expected(format_name: str, keys: Keys) -> str:
    if format_name in OTHERWISE_HELD:
        return f"expected {OTHERWISE_HELD[format_name]}, found {held(keys.left)}"
    names = TURN_KEYS["sharegpt" if format_name == "agentgym" else format_name]
    found = keys.take(names)
    hint = "" if found is not None or not keys.left else f" ({held(keys.left)})"
    return f"expected a list of turns as {names[0]}, found {in_few_words(found)}{hint}"
