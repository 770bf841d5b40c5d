"""Where the lines of chat files hold their turns.

| format | a line |
|---|---|
| `sharegpt` | turns under `conversations` and its like |
| `agentgym` | the same; turns say with `loss` whether they are to be learned |
| `openai` | turns under `messages`, or `contents` (Gemini); or the line is the list of turns |
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

from anyorder.data.importers.chats.exports.chatgpt import chatgpt_turns
from anyorder.data.importers.chats.exports.claude import claude_turns
from anyorder.data.importers.chats.speakers import ROLE_KEYS, role_of
from anyorder.data.importers.chats.transcripts import turns_of_marks, turns_of_text
from anyorder.data.importers.chats.turns import ANSWER_KEYS, PROMPT_KEYS, is_step, pair
from anyorder.data.importers.chats.values import BadLine, Keys, in_few_words, parsed_if_json, plain

TURN_KEYS = {
    "openai": ("messages", "contents"),
    "sharegpt": (
        *("conversations", "conversation", "dialog", "dialogue", "turns", "chat", "utterances", "chathistory"),
        *("chatmessages", "messagelist", "session"),
    ),
    "steps": ("history", "trajectory", "traj", "steps", "events", "episode", "interactions", "rollout", "data"),
}
"""Format -> the plain names of the key that holds a line's list of turns."""
NO_TEXTS_ALONE = ("trajectory", "traj", "steps", "events", "episode", "interactions", "rollout")
"""Keys of lists whose texts, if they hold nothing else, are not said by user and agent in alternation."""
TEXT_KEYS_OF_LINES = (
    *("text", "chat", "conversation", "conversations", "dialogue", "dialog", "transcript", "chatml", "messages"),
    "prompt",
)
"""Plain names of the key that holds a text that marks its speakers."""
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
            return _not_empty(turns, _main_key(format_name)), keys
    raise BadLine(_expected(format_name, Keys(line)))


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
        f" speakers, or a trajectory of actions and observations, found {_held(line)}"
    )


def _listed(names: tuple[str, ...]) -> Shape:
    def take(keys: Keys) -> list[Any] | None:
        for key in keys.find(names):
            turns = parsed_if_json(keys.left[key])
            may_be_texts = plain(key) not in NO_TEXTS_ALONE
            if isinstance(turns, list) and (
                not turns or isinstance(turns[0], (dict, list, str) if may_be_texts else (dict, list))
            ):
                del keys.left[key]
                return [*_task_of_steps(keys, turns), *turns, *_last_answer(keys, turns)]
        return None

    return take


def _responses(keys: Keys) -> list[Any] | None:
    given = next(iter(keys.find(["input"])), None)
    if given is None:
        return None
    before, after = keys.left[given], keys.left.get("output")
    if not (isinstance(before, list) or (isinstance(before, str) and isinstance(after, list))):
        return None
    del keys.left[given]
    if isinstance(after, list):
        del keys.left["output"]
    first = [{"role": "user", "content": before}] if isinstance(before, str) else before
    return [*first, *(after if isinstance(after, list) else [])]


def _pairs(keys: Keys) -> list[Any] | None:
    for key in keys.find(PROMPT_KEYS):
        if isinstance(keys.left[key], list) and _last_answer_keys(keys):  # as TRL has it: both are lists of turns
            turns = keys.left.pop(key)
            return [*turns, *_last_answer(keys, turns)]
    if marked := _marked_pair(keys):
        return marked
    found = pair(keys)
    if found is None:
        return None
    earlier = keys.take(["history"])
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
    return [key for key in keys.find(ANSWER_KEYS) if isinstance(keys.left[key], (str, list, dict)) and keys.left[key]]


def _last_answer(keys: Keys, turns: list[Any]) -> list[Any]:
    """The agent's last turn, where it stands beside turns that end with another's."""
    answers = _last_answer_keys(keys)
    last = turns[-1] if turns else None
    if not answers or not isinstance(last, dict):
        return []
    role = next((role_of(last[key], {}) for key in Keys(last).find(ROLE_KEYS)), "assistant")
    if role == "assistant":
        return []
    answer = keys.left.pop(answers[0])
    if isinstance(answer, list):
        return answer
    return [answer if isinstance(answer, dict) and Keys(answer).find(ROLE_KEYS) else {"role": "assistant", "content": answer}]


def _with_inner(line: dict[str, Any], format_name: str) -> Iterator[dict[str, Any]]:
    """The line, and then for each object in it the line with the keys of that object: ``{"body": {"messages": ...}}``. Only
    lists of turns are looked for in there: an object that describes the line may well hold a question and an answer."""
    yield line
    for key, value in line.items():
        if isinstance(value, dict) and format_name not in ("pairs", "text", "chatgpt", "claude"):
            outer = {f"line.{name}" if name in value else name: other for name, other in line.items() if name != key}
            yield {**value, **outer}


def _not_empty(turns: list[Any], where: str) -> list[Any]:
    if not turns:
        raise BadLine(f"expected a list of turns as {where}, found {in_few_words(turns)}")
    return turns


def _main_key(format_name: str) -> str:
    exported = {"chatgpt": ("mapping",), "claude": ("chat_messages",)}
    return (TURN_KEYS | exported).get("sharegpt" if format_name == "agentgym" else format_name, (format_name,))[0]


def _expected(format_name: str, keys: Keys) -> str:
    if format_name in OTHERWISE_HELD:
        return f"expected {OTHERWISE_HELD[format_name]}, found {_held(keys.left)}"
    names = TURN_KEYS["sharegpt" if format_name == "agentgym" else format_name]
    found = keys.take(names)
    hint = "" if found is not None or not keys.left else f" ({_held(keys.left)})"
    return f"expected a list of turns as {names[0]}, found {in_few_words(found)}{hint}"


def _held(line: dict[str, Any]) -> str:
    """The keys of a line that holds no turns, and what to do about those that say why."""
    keys = Keys(line)
    found = ", ".join(f"{key} ({_kind(value)})" for key, value in list(line.items())[:12]) or "no key"
    if keys.find(["chosen"]) and keys.find(["rejected"]):
        to = "{messages: .chosen}" if isinstance(line.get("chosen"), list) else "{prompt, answer: .chosen}"
        return f"{found}: a preference between two answers; keep the one to learn, as with `jq -c '{to}'`"
    if any(Keys(one).find(ROLE_KEYS) for one in (line, *line.values()) if isinstance(one, dict)):
        return f"{found}: one turn alone; put the turns of each conversation together, as with `jq -c -s '{{messages: .}}'`"
    return found


def _kind(value: Any) -> str:
    return "a text" if isinstance(value, str) else in_few_words(value)
