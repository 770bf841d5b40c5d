"""Gymnasium's spaces, flat: a path for every leaf, and what is needed to store a space as JSON.

A nested space (Dict, Tuple) is a tree. The path of a leaf joins the keys on the way with ``/``: ``arm/joints``, or ``1/0`` in
tuples. Paths of actions begin with ``action``; those of observations do not, so one name says which it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from gymnasium import spaces

from anyorder.errors import AnyOrderError
from anyorder.parsing import brief

OBSERVATION, ACTION = "observation", "action"
RESERVED = (ACTION, "mission", "return")
"""Paths of observations do not begin with these; where a key is one of them, ``observation`` comes before it."""
LEAVES = (spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary, spaces.Box, spaces.Text)

MOST_BOUNDS = 2**26
"""Entries of a Box that is read from a file: each has its bounds in memory."""


def leaves(space: spaces.Space[Any], root: str) -> dict[str, spaces.Space[Any]]:
    """Path -> leaf of a space, in the space's own order.

    Args:
        space: made of Dict, Tuple and `LEAVES`.
        root: `OBSERVATION` or `ACTION`.

    Raises:
        AnyOrderError: for a space of another kind; the message names its path and its type.
    """
    return {path: leaf for path, _, leaf in _walk(space, root, ())}


def flatten(space: spaces.Space[Any], value: Any, root: str) -> dict[str, Any]:
    """Path -> the leaf's value, of one sample of a space or of a nest of arrays that has the space's form."""
    return {path: _at(value, keys) for path, keys, _ in _walk(space, root, ())}


def unflatten(space: spaces.Space[Any], values: Mapping[str, Any], root: str) -> Any:
    """The nest that `flatten` made flat."""
    by_keys = {keys: values[path] for path, keys, _ in _walk(space, root, ())}
    return _nest(space, by_keys, ())


def space_to_json(space: spaces.Space[Any]) -> dict[str, Any]:
    """A space as JSON values that `space_from_json` reads; bounds of a Box are one number where all are equal."""
    if isinstance(space, spaces.Dict):
        return {"type": "Dict", "spaces": {key: space_to_json(inner) for key, inner in space.spaces.items()}}
    if isinstance(space, spaces.Tuple):
        return {"type": "Tuple", "spaces": [space_to_json(inner) for inner in space.spaces]}
    if isinstance(space, spaces.Discrete):
        return {"type": "Discrete", "n": int(space.n), "start": int(space.start), "dtype": space.dtype.name}
    if isinstance(space, spaces.MultiDiscrete):
        content = {"type": "MultiDiscrete", "nvec": space.nvec.tolist(), "dtype": space.dtype.name}
        return {**content, "start": space.start.tolist()}
    if isinstance(space, spaces.MultiBinary):
        return {"type": "MultiBinary", "n": int(space.n) if isinstance(space.n, (int, np.integer)) else list(space.shape)}
    if isinstance(space, spaces.Box):
        bounds = {"low": _bound(space.low), "high": _bound(space.high)}
        return {"type": "Box", "shape": list(space.shape), "dtype": space.dtype.name, **bounds}
    if isinstance(space, spaces.Text):
        characters = "".join(sorted(space.character_set))
        return {"type": "Text", "min_length": space.min_length, "max_length": space.max_length, "characters": characters}
    raise _unknown(space, "a space")


def space_from_json(content: Mapping[str, Any]) -> spaces.Space[Any]:
    """The space that `space_to_json` wrote.

    Raises:
        KeyError, TypeError, ValueError: for anything else.
    """
    kind = content["type"]
    if kind == "Dict":
        return spaces.Dict([(key, space_from_json(inner)) for key, inner in content["spaces"].items()])
    if kind == "Tuple":
        return spaces.Tuple([space_from_json(inner) for inner in content["spaces"]])
    if kind == "Discrete":
        dtype = np.dtype(content["dtype"])
        options = {} if dtype == np.int64 else {"dtype": dtype.type}  # older Gymnasium knows no other
        return spaces.Discrete(content["n"], start=content["start"], **options)
    if kind == "MultiDiscrete":
        dtype = np.dtype(content["dtype"])
        return spaces.MultiDiscrete(np.array(content["nvec"], dtype), dtype=dtype.type, start=np.array(content["start"], dtype))
    if kind == "MultiBinary":
        return spaces.MultiBinary(content["n"])
    if kind == "Box":
        shape, dtype = tuple(content["shape"]), np.dtype(content["dtype"])
        if math.prod(shape) > MOST_BOUNDS:
            raise ValueError(f"a Box must have at most {MOST_BOUNDS:,} entries; found {brief(content['shape'])}")
        low, high = (np.full(shape, _numbers(content[name], dtype), dtype) for name in ("low", "high"))
        return spaces.Box(low, high, shape, dtype.type)
    if kind == "Text":
        return spaces.Text(content["max_length"], min_length=content["min_length"], charset=content["characters"])
    raise ValueError(f"a space must be of a known type; found {brief(kind)}")


def _walk(space: spaces.Space[Any], root: str, keys: tuple[Any, ...]) -> Iterator[tuple[str, tuple[Any, ...], Any]]:
    """Path, keys on the way and leaf, for every leaf."""
    if isinstance(space, spaces.Dict):
        for key, inner in space.spaces.items():
            yield from _walk(inner, root, (*keys, key))
    elif isinstance(space, spaces.Tuple):
        for number, inner in enumerate(space.spaces):
            yield from _walk(inner, root, (*keys, number))
    elif isinstance(space, LEAVES):
        yield _path(root, keys), keys, space
    else:
        raise _unknown(space, _path(root, keys))


def _path(root: str, keys: tuple[Any, ...]) -> str:
    # A key may hold the separator; it is written as in a JSON pointer.
    parts = [str(key).replace("~", "~0").replace("/", "~1") for key in keys]
    named = parts and root == OBSERVATION and parts[0] not in RESERVED
    return "/".join(parts if named else [root, *parts])


def _at(value: Any, keys: tuple[Any, ...]) -> Any:
    for key in keys:
        value = value[key]
    return value


def _nest(space: spaces.Space[Any], by_keys: Mapping[tuple[Any, ...], Any], keys: tuple[Any, ...]) -> Any:
    if isinstance(space, spaces.Dict):
        return {key: _nest(inner, by_keys, (*keys, key)) for key, inner in space.spaces.items()}
    if isinstance(space, spaces.Tuple):
        return tuple(_nest(inner, by_keys, (*keys, number)) for number, inner in enumerate(space.spaces))
    return by_keys[keys]


def _bound(bound: np.ndarray) -> Any:
    """One number where all are equal; infinities, which JSON does not have, as text."""
    values = bound.tolist()
    if bound.size and (bound == bound.flat[0]).all():
        values = bound.flat[0].item()
    return _written(values)


def _written(values: Any) -> Any:
    if isinstance(values, list):
        return [_written(value) for value in values]
    return str(values) if values in (float("inf"), float("-inf")) else values


def _numbers(values: Any, dtype: np.dtype[Any]) -> np.ndarray:
    # Through float only where that is the dtype: an int64's largest number is not a float.
    return np.array(values, object).astype(np.float64).astype(dtype) if dtype.kind == "f" else np.array(values, dtype)


def _unknown(space: spaces.Space[Any], path: str) -> AnyOrderError:
    known = ", ".join(kind.__name__ for kind in (*LEAVES, spaces.Dict, spaces.Tuple))
    return AnyOrderError(
        f"{path} must be made of {known}; found {type(space).__name__}; wrap the environment so that it gives one of these"
    )
