"""Conversations of ChatGPT's export: a tree of nodes, of which the path to `current_node` is what was said last.

| `content_type` | becomes |
|---|---|
| `text`, `multimodal_text` | the texts of its parts; a recording's transcript is its text |
| `code`, `execution_output`, `tether_quote`, ... | its text; where a tool is its `recipient`, a call of that tool |
| `thoughts` | what the agent thinks |
| `user_editable_context`, `model_editable_context` | the system's: what the user wants to be known, and what is remembered |
| anything else without a text | an empty text |

All that is no text, such as pictures and recordings, is kept beside it under the name of its type, and so are the messages of
other branches.
"""

from __future__ import annotations

from typing import Any

from anyorder.data.importers.chats.exports.blocks import beside, other_keys
from anyorder.data.importers.chats.values import BadLine, Keys, in_few_words

OTHER_BRANCHES = "other_branches"
"""Key of a line under which the messages beside the path are kept."""
CONTEXTS = {
    "user_editable_context": ("user_profile", "user_instructions"),
    "model_editable_context": ("model_set_context", "structured_context"),
}
"""Types of content that tell the model something before the conversation -> the keys with their texts."""
SAID_UNDER = ("text", "result", "content", "summary")
"""Keys under which contents of other types hold what they say."""


def chatgpt_turns(keys: Keys) -> list[Any] | None:
    """The turns on the path to the current node, with the keys that hold them taken; None for a line of another shape.

    Empty texts of the system, such as each conversation begins with, are left out.

    Raises:
        BadLine: for a tree that has no such path, and for messages without a content.
    """
    nodes = keys.left.get("mapping")
    if not isinstance(nodes, dict) or not any(isinstance(node, dict) and "message" in node for node in nodes.values()):
        return None
    path = _path(nodes, keys.left.get("current_node"))
    del keys.left["mapping"]
    keys.left.pop("current_node", None)
    turns = [_turn(message, name) for name in path if (message := nodes[name].get("message")) is not None]
    beside_path = {name: nodes[name].get("message") for name in nodes if name not in set(path)}
    if others := {name: message for name, message in beside_path.items() if message is not None}:
        keys.left[OTHER_BRANCHES] = others
    return [turn for turn in turns if turn["role"] != "system" or turn["content"] not in ("", [])]


def _path(nodes: dict[str, Any], last: Any) -> list[str]:
    """The names of the nodes from the root to the current node, or to the only one at an end."""
    for name, node in nodes.items():
        if not isinstance(node, dict):
            raise BadLine(f"expected an object as node {name!r} of mapping, found {in_few_words(node)}")
    if last is None:
        ends = sorted(set(nodes) - {node["parent"] for node in nodes.values() if isinstance(node.get("parent"), str)})
        if len(ends) != 1:
            raise BadLine(f"expected the name of the last node as current_node, found none, and {len(ends)} ends of branches")
        last = ends[0]
    path: dict[str, None] = {}
    name = last
    while name is not None:
        if not isinstance(name, str) or name not in nodes:
            raise BadLine(f"expected the name of a node on the way to current_node, found {in_few_words(name)}")
        if name in path:
            raise BadLine(f"expected a tree as mapping, found the node {name!r} before itself")
        path[name] = None
        name = nodes[name].get("parent")
    return list(path)[::-1]


def _turn(message: Any, name: str) -> dict[str, Any]:
    """A message as a turn: its author's role and name, its content, and its other keys."""
    if not isinstance(message, dict) or not isinstance(message.get("content"), dict):
        found = in_few_words(message.get("content") if isinstance(message, dict) else message)
        raise BadLine(f"expected a message with an object as content in the node {name!r} of mapping, found {found}")
    author = message["author"] if isinstance(message.get("author"), dict) else {"role": message.get("author")}
    role = author.get("role")
    others = other_keys(message, "author", "content", "metadata" if message.get("metadata") == {} else "")
    others |= {f"author.{key}": value for key, value in author.items() if key not in ("role", "name") and value != {}}
    if author.get("name") is not None:
        others["name"] = author["name"]
    blocks: Any = _spaced(_blocks(message["content"]))
    to_tool = role == "assistant" and message.get("recipient") not in (None, "all")
    if to_tool or message.get("channel") == "analysis" or all(isinstance(block, str) for block in blocks):
        others |= _held(blocks)
        blocks = "".join(block if isinstance(block, str) else block.get("text", block.get("thinking", "")) for block in blocks)
    is_context = str(message["content"].get("content_type")) in CONTEXTS
    return {**others, "role": "system" if is_context else "" if role is None else role, "content": blocks}


def _held(blocks: list[Any]) -> dict[str, Any]:
    """What blocks keep beside their texts, for a turn whose content is one text."""
    found: dict[str, Any] = {}
    for block in blocks:
        for key, held in ({} if isinstance(block, str) else other_keys(block, "type", "text", "thinking")).items():
            found.setdefault(f"content.{key}", []).append(held)
    return found


def _blocks(content: dict[str, Any]) -> list[Any]:
    """What a content says, in blocks, of which those that are texts alone are strings."""
    kind, rest = str(content.get("content_type")), other_keys(content, "content_type")
    if kind in CONTEXTS:
        texts = [rest.pop(key) for key in CONTEXTS[kind] if isinstance(rest.get(key), str)]
        return [text for text in texts if text] + _others(kind, rest)
    if kind == "thoughts" and isinstance(rest.get("thoughts"), list):
        return [_thought(one) for one in rest.pop("thoughts")] + _others(kind, rest)
    if isinstance(rest.get("parts"), list):
        return [block for part in rest.pop("parts") if (block := _part(part)) is not None] + _others(kind, rest)
    key = next((key for key in SAID_UNDER if isinstance(rest.get(key), str)), None)
    if kind == "reasoning_recap" or key is None:  # "Thought for 5 seconds": the page says it, not the agent
        return _others(kind, rest)
    return [rest.pop(key), *_others(kind, rest)]


def _others(kind: Any, rest: dict[str, Any]) -> list[Any]:
    """What a content holds beside its text, under its type."""
    return [beside(str(kind), rest)] if any(value not in (None, "", [], {}) for value in rest.values()) else []


def _part(part: Any) -> Any:
    """A text, or a block of what a part holds; None for a part without anything."""
    if part is None or isinstance(part, str):
        return part
    if not isinstance(part, dict):
        return beside("parts", part)
    kind, text = str(part.get("content_type")), part.get("text")
    if isinstance(text, str):
        return beside(kind, other_keys(part, "content_type", "text"), text)
    return beside(kind, other_keys(part, "content_type"))


def _thought(one: Any) -> dict[str, Any]:
    """A thought: what it says or, where that is not told, its heading."""
    held = dict(one) if isinstance(one, dict) else {"content": one}
    key = "content" if isinstance(held.get("content"), str) and held["content"] else "summary"
    if not isinstance(held.get(key), str):
        return beside("thoughts", one)
    return {"type": "thinking", "thinking": held.pop(key), "thoughts": held}


def _spaced(blocks: list[Any]) -> list[Any]:
    """The blocks, where each text that follows another begins a line."""
    spaced: list[Any] = []
    said = False
    for block in blocks:
        text = block if isinstance(block, str) else block.get("text", "")
        if text and said:
            block = f"\n{text}" if isinstance(block, str) else {**block, "text": f"\n{text}"}
        said = said or bool(text)
        spaced.append(block)
    return spaced
