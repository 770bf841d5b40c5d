"""Conversations of Claude's export: `chat_messages` with a `sender`, a `text`, and the same in blocks as `content`."""

from __future__ import annotations

from typing import Any

from anyorder.data.importers.chats.contents import is_known
from anyorder.data.importers.chats.exports.blocks import beside, other_keys
from anyorder.data.importers.chats.values import BadLine, Keys, in_few_words, plain

EMPTY_LISTS = ("attachments", "files", "files_v2", "sync_sources", "flags", "citations")
"""Keys of turns and blocks that say nothing where they hold an empty list, as they nearly always do."""


def claude_turns(keys: Keys) -> list[Any] | None:
    """The turns, with the keys that hold them taken; None for a line of another shape.

    Text that the user attached (``extracted_content``) is said after the text of its turn. Blocks of unknown types, such as
    pictures, are kept beside the text under their type.

    Raises:
        BadLine: for a message that is no JSON object.
    """
    turns = keys.left.get("chat_messages")
    if not isinstance(turns, list) or not (_exported(turns) or (not turns and "uuid" in keys.left)):
        return None
    del keys.left["chat_messages"]
    return [_turn(turn, number) for number, turn in enumerate(turns)]


def _exported(turns: list[Any]) -> bool:
    return any(isinstance(turn, dict) and "sender" in turn for turn in turns)


def _turn(turn: Any, number: int) -> dict[str, Any]:
    if not isinstance(turn, dict):
        raise BadLine(f"expected chat_messages[{number}] to be a JSON object, found {in_few_words(turn)}")
    others = _filled(other_keys(turn, "text", "content"))
    blocks = _blocks(turn)
    attached = others.get("attachments")
    if isinstance(attached, list):
        blocks += [_attached(one, bool(_words(blocks))) for one in attached]
        del others["attachments"]
    return {**others, "content": blocks}


def _filled(held: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in held.items() if value != [] or key not in EMPTY_LISTS}


def _blocks(turn: dict[str, Any]) -> list[Any]:
    """The content in blocks. Older exports have the text alone; where both stand, the text repeats the blocks."""
    content, text = turn.get("content"), turn.get("text")
    content = [content] if isinstance(content, (str, dict)) else content
    if not isinstance(content, list):
        content = []
    blocks = [_block(one) for one in content]
    if isinstance(text, str) and text and not any(blocks):
        return [text]
    if text is not None and not isinstance(text, str):
        blocks.append(beside("text", text))
    return blocks


def _block(block: Any) -> Any:
    if isinstance(block, str):
        return block
    if not isinstance(block, dict):
        return beside("content", block)
    kind, text, block = block.get("type"), block.get("text"), _filled(block)
    if not isinstance(kind, str):
        return block if isinstance(text, str) else beside("content", block)
    if plain(kind) == "toolresult" and isinstance(block.get("content"), list):
        return {**block, "content": [_block(one) for one in block["content"]]}
    if is_known(plain(kind)):
        return block
    return beside(kind, other_keys(block, "type", "text"), text) if isinstance(text, str) else beside(kind, block)


def _words(blocks: list[Any]) -> str:
    return "".join(block if isinstance(block, str) else str(block.get("text") or "") for block in blocks)


def _attached(one: Any, after_words: bool) -> dict[str, Any]:
    """A text that the user attached, or whatever else stands among the attachments."""
    text = one.get("extracted_content") if isinstance(one, dict) else None
    if not isinstance(text, str):
        return beside("attachment", one)
    return beside("attachment", other_keys(one, "extracted_content"), f"\n{text}" if after_words and text else text)
