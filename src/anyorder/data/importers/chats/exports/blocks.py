"""What an exported turn holds beside words: pictures, files, sounds. It is named and kept beside the text, and so counted."""

from __future__ import annotations

from typing import Any

OWN_KEYS = ("type", "text")


def beside(kind: str, held: Any, text: str = "") -> dict[str, Any]:
    """A block of text that keeps what is not said under its kind.

    Args:
        kind: what the file calls it, such as ``image_asset_pointer``.
        held: what the file says about it, without its text.
        text: what it says.
    """
    return {"type": "text", "text": text, f"block.{kind}" if kind in OWN_KEYS else kind: held}


def other_keys(block: dict[str, Any], *keys: str) -> dict[str, Any]:
    """The block's other keys."""
    return {key: value for key, value in block.items() if key not in keys}
