"""Typed values from plain ones: what a file holds is checked against the program's types, and errors name the key."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from anyorder.errors import AnyOrderError
from anyorder.parsing import brief

LARGEST = 2**63 - 1
"""Whole numbers have 64 bits, as in tensors and Parquet files."""


def restored(kind: Any, value: Any, key: str = "") -> Any:
    """A value of a type, from plain values as JSON and YAML have them.

    Args:
        kind: a dataclass (further keys are ignored), a list, tuple or dictionary of such types, a union, a literal, a number,
            a string, a truth value, or Any.
        value: what the file holds for it.
        key: where the value stands, for error messages.

    Raises:
        ValueError: naming the key, what must stand there and what was found.
    """
    if kind is Any:
        return value
    if isinstance(kind, type) and is_dataclass(kind):
        return _dataclass(kind, value, key)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return _one_of(kind, value, key)
    if origin is Literal:
        if value not in arguments or type(value) not in map(type, arguments):
            raise _wrong(kind, value, key)
        return value
    if isinstance(origin, type) and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise _wrong(kind, value, key)
        return {restored(arguments[0], name, key): restored(arguments[1], value[name], _below(key, name)) for name in value}
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return _sequence(kind, origin, value, key)
    return _plain(kind, value, key)


def restored_from(kind: Any, value: Any, where: str, advice: str) -> Any:
    """`restored` from a file; what is wrong becomes an AnyOrderError that begins with the file and ends with the advice."""
    try:
        return restored(kind, value)
    except ValueError as error:
        raise AnyOrderError(f"{where} is damaged or of another version: {error}; {advice}") from None


def _dataclass(kind: type, value: Any, key: str) -> Any:
    if isinstance(value, kind):
        return value
    if not isinstance(value, Mapping):
        raise _wrong(kind, value, key)
    hints, taken = _hints(kind), {}
    for field in fields(kind):
        if field.init and field.name in value:
            taken[field.name] = restored(hints[field.name], value[field.name], _below(key, field.name))
        elif field.init and _is_required(field):
            raise ValueError(f"{_below(key, field.name)} must be {_described(hints[field.name])}; found nothing")
    try:
        return kind(**taken)
    except (AnyOrderError, ValueError) as error:
        raise ValueError(f"{key}: {error}" if key else str(error)) from None


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _is_required(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _one_of(kind: Any, value: Any, key: str) -> Any:
    alternatives = get_args(kind)
    if value is None and NoneType in alternatives:
        return None
    others = [one for one in alternatives if one is not NoneType]
    if len(others) == 1:
        return restored(others[0], value, key)
    for one in others:
        try:
            return restored(one, value, key)
        except ValueError:
            continue
    raise _wrong(kind, value, key)


def _sequence(kind: Any, origin: type, value: Any, key: str) -> Any:
    arguments = get_args(kind)
    if not isinstance(value, (list, tuple)):
        raise _wrong(kind, value, key)
    fixed = origin is tuple and arguments[-1] is not Ellipsis
    if fixed and len(value) != len(arguments):
        raise _wrong(kind, value, key)
    kinds = arguments if fixed else [arguments[0]] * len(value)
    found = [restored(one, entry, f"{key}[{number}]") for number, (one, entry) in enumerate(zip(kinds, value))]
    return tuple(found) if origin is tuple else found


def _plain(kind: Any, value: Any, key: str) -> Any:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind is int:
        fits = number and isinstance(value, int) and abs(value) <= LARGEST
    elif kind is float:
        fits = number and not math.isnan(value) if isinstance(value, float) else number and abs(value) <= LARGEST
    elif kind is str:
        fits = isinstance(value, str) and "\0" not in value
    else:
        fits = value is None if kind in (None, NoneType) else isinstance(value, kind)
    if not fits:
        raise _wrong(kind, value, key)
    return value


KIND_NAMES: dict[Any, str] = {
    int: "a whole number of at most 64 bits",
    float: "a number",
    str: "text",
    bool: "true or false",
    NoneType: "null",
}
"""Type -> how an error message calls it."""


def _described(kind: Any) -> str:
    if kind in KIND_NAMES:
        return KIND_NAMES[kind]
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(_described(one) for one in arguments))
    if origin is Literal:
        return f"one of {', '.join(map(str, arguments))}"
    if origin is tuple and arguments[-1] is not Ellipsis:
        return f"a list of {len(arguments)}"
    return "a list" if isinstance(origin, type) and issubclass(origin, Sequence) else "{key: value, ...}"


def _wrong(kind: Any, value: Any, key: str) -> ValueError:
    without = " without the character NUL" if isinstance(value, str) and "\0" in value else ""
    return ValueError(f"{key or 'it'} must be {_described(kind)}{without}; found {brief(value)}")


def _below(key: str, name: Any) -> str:
    return f"{key}.{brief(Exception(name), 80)}" if key else brief(Exception(name), 80)
