"""JSON values of chat files: how they are parsed, how their keys are found, and how an error message shows them."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any

HALF_PAIR = re.compile("[\ud800-\udfff]")
ESCAPED_HALF = re.compile(r"\\u[dD][89a-fA-F]")


class BadLine(Exception):
    """A wrong line; the message says what was expected and what was found."""


def parse_json(text: str) -> Any:
    """The value of a JSON text. Half of a surrogate pair, which is no character, becomes U+FFFD.

    Raises:
        json.JSONDecodeError: for what is not JSON.
        BadLine: for a number that is too long.
    """
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        raise
    except ValueError as error:
        raise BadLine(f"expected numbers of ordinary length, found one that cannot be read ({error})") from None
    if ESCAPED_HALF.search(text):
        return json.loads(HALF_PAIR.sub("\ufffd", written_json(value)))
    return value


def parsed_if_json(value: Any) -> Any:
    """The object or list that a JSON text stands for, also inside a list; any other value as it is.

    Raises:
        BadLine: for a JSON text with a number that is too long.
    """
    if isinstance(value, list):
        return [parsed_if_json(one) for one in value]
    if isinstance(value, str):
        with suppress(json.JSONDecodeError):  # a text that is not JSON is kept as it is
            found = parse_json(value)
            return found if isinstance(found, (dict, list)) else value
    return value


def written_json(value: Any) -> str:
    """The JSON text of a value, with letters of all languages as they are."""
    return json.dumps(value, ensure_ascii=False)


@lru_cache(maxsize=4096)  # the same few keys come again in every turn
def plain(name: str) -> str:
    """A name without case, hyphens and underscores: ``toolCalls``, ``tool-calls`` and ``TOOL_CALLS`` are one name."""
    return re.sub(r"[\s_-]", "", name.lower())


class Keys:
    """The keys of a JSON object that nobody has taken yet, found by their plain names."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.left = dict(content)

    def find(self, names: Collection[str]) -> list[str]:
        """The keys with these plain names whose value is not null, in the order of ``names``."""
        order = list(names)
        found = [key for key, value in self.left.items() if value is not None and plain(key) in order]
        return sorted(found, key=lambda key: order.index(plain(key)))

    def take(self, names: Collection[str]) -> Any:
        """The value of the first of `find`, which is taken; None if there is none. Keys with null are taken, too."""
        found = self.find(names)
        self.drop_nulls(names)
        return self.left.pop(found[0]) if found else None

    def drop_nulls(self, names: Collection[str]) -> None:
        """Take the keys with these plain names whose value is null."""
        for key in [key for key, value in self.left.items() if value is None and plain(key) in names]:
            del self.left[key]

    def others(self) -> dict[str, Any]:
        """All keys that nobody has taken and whose value is not null."""
        return {key: value for key, value in self.left.items() if value is not None}


def in_few_words(value: Any) -> str:
    """A value in a few words, for an error message."""
    if value is None or isinstance(value, (list, dict)):
        return {type(None): "nothing", list: "a list", dict: "an object"}[type(value)] + (", empty" if value == [] else "")
    return repr(value)[:60]
