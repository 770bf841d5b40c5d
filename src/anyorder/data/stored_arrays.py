"""Named arrays of a row: how numpy's arrays of any shape lie in a Parquet file. Every array comes back bit for bit."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from anyorder.errors import AnyOrderError
from anyorder.parsing import brief
from anyorder.restoring import restored

ARRAY = pa.struct(
    [
        ("role", pa.string()),  # the attribute of the trajectory that it belongs to
        ("path", pa.string()),
        ("dtype", pa.string()),  # as numpy writes it: <f4, |u1, <U12
        ("shape", pa.list_(pa.int64())),
        ("data", pa.large_binary()),  # in C order
    ]
)
STORED_KINDS = "biufcSUmM"
"""Kinds of numpy's dtypes whose bytes say everything."""


def array_entries(trajectory: object, roles: Sequence[str]) -> list[dict[str, Any]]:
    """What a row holds for the attributes ``roles`` of a trajectory, each a mapping of paths to arrays: by role and path.

    Raises:
        AnyOrderError: for an array of Python objects or records; nothing is pickled.
    """
    arrays: dict[str, Mapping[str, np.ndarray]] = {role: getattr(trajectory, role) for role in roles}
    return [_written(role, path, arrays[role][path]) for role in roles for path in sorted(arrays[role])]


def arrays_of(entries: Sequence[Mapping[str, Any]], roles: Sequence[str]) -> dict[str, dict[str, np.ndarray]]:
    """The inverse of `array_entries`: role -> path -> array.

    Raises:
        ValueError: for an entry that `array_entries` cannot have written.
    """
    arrays: dict[str, dict[str, np.ndarray]] = {role: {} for role in roles}
    for entry in entries:
        if entry["role"] not in roles or entry["path"] is None:
            raise ValueError(f"an array must be of {', '.join(roles)} and have a path; found {brief(entry['role'])}")
        arrays[entry["role"]][entry["path"]] = _read(entry)
    return arrays


def _written(role: str, path: str, array: np.ndarray) -> dict[str, Any]:
    if array.dtype.kind not in STORED_KINDS:
        raise AnyOrderError(
            f"{path} of {role} must be an array of numbers, truth values or texts; found {array.dtype}; convert it or leave it"
            " out"
        )
    return {"role": role, "path": path, "dtype": array.dtype.str, "shape": array.shape, "data": array.tobytes()}


def _read(entry: Mapping[str, Any]) -> np.ndarray:
    dtype, shape, data = np.dtype(restored(str, entry["dtype"], "dtype")), tuple(entry["shape"]), entry["data"]
    if dtype.kind not in STORED_KINDS or min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != len(data):
        raise ValueError(f"{brief(entry['path'])} must have the bytes of a {brief(entry['dtype'])} array {list(shape)}")
    array: np.ndarray = np.ndarray(shape, dtype, data)
    if dtype.kind == "b" and array.size and array.view(np.uint8).max() > 1:
        raise ValueError(f"{brief(entry['path'])} must be true or false; found another byte")
    if dtype.kind == "U" and data and np.frombuffer(data, f"{dtype.byteorder}u4").max() > sys.maxunicode:
        raise ValueError(f"{brief(entry['path'])} must be text; found what is no character")
    return array
