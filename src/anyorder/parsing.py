"""The one reader of JSON and of YAML: plain values from text, or one reason why there are none.

Text from outside is bounded before it is believed: how long it is, how deeply it is nested, how much its aliases stand for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable
from typing import Any

import yaml

LONGEST_YAML = 500_000
"""Characters of a YAML text: a configuration is written by hand."""
MOST_YAML_VALUES = 20_000
"""Values in a YAML text, where an alias counts as much as what it stands for."""
DEEPEST = 100
"""Lists and mappings inside of one another."""
REPLACEMENT = "\ufffd"
_SURROGATE = re.compile("[\ud800-\udfff]")
_WRITTEN_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class Unreadable(ValueError):
    """Text that holds no plain values; the message is the reason, to be put in brackets."""


def from_json(text: str) -> Any:
    """The value of a JSON text. Halves of a surrogate pair, which no file can hold, become U+FFFD.

    Raises:
        Unreadable: with the reason.
    """
    try:
        value = json.loads(text)
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:  # not JSON, or a whole number of thousands of digits
        raise Unreadable(brief(error, 200)) from None
    if text.count("[") + text.count("{") > DEEPEST:
        _check_depth(value)
    return _without_surrogates(value) if _WRITTEN_SURROGATE.search(text) else value


def from_yaml(text: str) -> Any:
    """The value of a YAML text: texts, numbers, true, false, null, and lists and mappings of these.

    Raises:
        Unreadable: with the reason, such as a key that stands twice in one mapping.
    """
    if len(text) > LONGEST_YAML:
        raise Unreadable(f"it must have at most {LONGEST_YAML:,} characters; it has {len(text):,}")
    try:
        value = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise Unreadable(_explained(error)) from None
    except RecursionError:
        raise _too_deep() from None
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError) as error:  # such as !!int of a word
        raise Unreadable(f"a value is not what its tag says: {brief(error, 200)}") from None
    _check_depth(value)
    return _without_surrogates(value)


def brief(value: Any, most: int = 200) -> str:
    """A value on one line, as a message can quote it: without its middle if it is longer than ``most`` characters."""
    shown = " ".join((str(value) if isinstance(value, Exception) else repr(_start(value, most))).split())
    if len(shown) <= most:
        return shown
    return f"{shown[: most * 2 // 3]} [...] {shown[len(shown) - most // 4 :]}"


def _start(value: Any, most: int) -> Any:
    """A whole number as text if it is too long for Python to write; other values as they are."""
    return f"a number of {value.bit_length()} bits" if isinstance(value, int) and value.bit_length() > 4 * most else value


def _explained(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    if not isinstance(error, yaml.MarkedYAMLError) or mark is None:
        return brief(error, 300)
    said = ", ".join(part for part in (error.context, error.problem) if part)
    return f"line {mark.line + 1}, column {mark.column + 1}: {brief(Exception(said), 250)}"


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(DEEPEST + 1):
        level = [inner for outer in level if isinstance(outer, (dict, list)) for inner in _inside(outer)]
        if not level:
            return
    raise _too_deep()


def _inside(outer: dict[Any, Any] | list[Any]) -> Any:
    return outer.values() if isinstance(outer, dict) else outer


def _too_deep() -> Unreadable:
    return Unreadable(f"its lists and mappings must be nested at most {DEEPEST} deep; they are nested deeper")


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return _SURROGATE.sub(REPLACEMENT, value)
    if isinstance(value, list):
        return [_without_surrogates(inner) for inner in value]
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(inner) for key, inner in value.items()}
    return value


class _Loader(yaml.SafeLoader):
    """Plain values only: no dates, sets or bytes. ``1e-5`` is a number, as everywhere but in YAML 1.1."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._num_values = 0
        self._standing_for: dict[int, int] = {}

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        before, mark = self._num_values, self.peek_event().start_mark
        is_alias = self.check_event(yaml.AliasEvent)
        node = super().compose_node(parent, index)
        if is_alias and id(node) not in self._standing_for:
            raise yaml.MarkedYAMLError(problem="an alias must not stand inside of what it names", problem_mark=mark)
        self._num_values += self._standing_for[id(node)] if is_alias else 1
        if self._num_values > MOST_YAML_VALUES:
            problem = f"it must have at most {MOST_YAML_VALUES:,} values, aliases written out; it has more"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=mark)
        self._standing_for[id(node)] = self._num_values - before
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        lines: dict[Any, int] = {}
        for key_node, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, (str, int, float, bool, type(None))):
                problem = f"a key must be a text or a number; found {brief(key, 80)}"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key_node.start_mark)
            line = key_node.start_mark.line + 1
            if key in lines:
                problem = f"the key {brief(key, 80)} must stand once; found it on lines {lines[key]} and {line}"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key_node.start_mark)
            lines[key] = line
        return super().construct_mapping(node, deep)


_PLAIN = ("null", "bool", "int", "float", "str", "seq", "map")
_FLOAT = re.compile(
    r"""^(?:[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?
    |[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+
    |[-+]?\.(?:inf|Inf|INF)
    |\.(?:nan|NaN|NAN))$""",
    re.VERBOSE,
)
_Loader.yaml_constructors = {
    tag: function
    for tag, function in yaml.SafeLoader.yaml_constructors.items()
    if tag is None or tag.removeprefix("tag:yaml.org,2002:") in _PLAIN
}
_Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in known if not tag.endswith((":timestamp", ":float"))]
    for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(rf"^(?:{_FLOAT.pattern})$", re.VERBOSE), list("-+0123456789.")
)
