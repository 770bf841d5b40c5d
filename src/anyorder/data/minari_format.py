"""What Minari's data sets do not have a place for, and how this package writes it there; how Minari nests its arrays.

A data set that this package wrote has an entry ``anyorder`` in its metadata (`DataSetNote`) and in the infos of each episode
(`EpisodeNote`, as JSON, and what was not recorded), so that importing it gives the same trajectories again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from gymnasium import spaces

from anyorder.errors import AnyOrderError

NOTE = "anyorder"
MINARI_EXTRA = "Minari's data sets need the packages minari and h5py; install them with `pip install 'anyorder[minari]'`"
ERRORS_OF_MINARI = (
    *(ValueError, TypeError, LookupError, AssertionError, RuntimeError),
    *(AttributeError, OSError, ArithmeticError),
)
"""What Minari and h5py raise at data that they cannot read or write."""


@dataclass(frozen=True)
class DataSetNote:
    """What a manifest says and Minari's metadata do not.

    Attributes:
        env_id: as of `anyorder.data.manifest.Manifest`.
        content: "grid" or "fields".
        spaces: as of the manifest; Minari writes every Discrete as int64, and cannot have ``/`` in a key.
    """

    env_id: str
    content: str
    spaces: dict[str, Any]


@dataclass(frozen=True)
class EpisodeNote:
    """What a trajectory says and Minari's episodes do not.

    Attributes:
        env_id, seed, mission, success: as of `anyorder.types.FieldTrajectory`.
        split: the split that the episode is in.
        unrecorded: paths without an array; Minari's arrays have zeros there.
        texts: path of a text -> its dtype.
    """

    env_id: str
    seed: int
    split: str
    mission: str
    success: bool | None = None
    unrecorded: tuple[str, ...] = ()
    texts: dict[str, str] = field(default_factory=dict)


def minari_package() -> Any:
    """The package minari.

    Raises:
        AnyOrderError: when it, or h5py, is not installed.
    """
    try:
        import h5py  # noqa: F401
        import minari
    except ImportError:
        raise AnyOrderError(MINARI_EXTRA) from None
    return minari


def with_minari_keys(space: spaces.Space[Any]) -> spaces.Space[Any]:
    """The same space with keys that a file in HDF5 can have: ``/`` and ``~`` are written as in a JSON pointer."""
    if isinstance(space, spaces.Dict):
        return spaces.Dict([(minari_key(key), with_minari_keys(inner)) for key, inner in space.spaces.items()])
    if isinstance(space, spaces.Tuple):
        return spaces.Tuple([with_minari_keys(inner) for inner in space.spaces])
    return space


def minari_key(key: Any) -> str:
    """A key of a Dict as `with_minari_keys` writes it."""
    return str(key).replace("~", "~0").replace("/", "~1")


def nested_paths(flat: Mapping[str, Any]) -> dict[str, Any]:
    """A dictionary of dictionaries from one whose keys are paths with ``/``."""
    nest: dict[str, Any] = {}
    for path, value in flat.items():
        *outer, last = path.split("/")
        inner = nest
        for key in outer:
            inner = inner.setdefault(key, {})
        inner[last] = value
    return nest


def flat_paths(nest: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """The inverse of `nested_paths`."""
    flat: dict[str, Any] = {}
    for key, value in nest.items():
        flat |= flat_paths(value, f"{before}{key}/") if isinstance(value, Mapping) else {f"{before}{key}": value}
    return flat


def text_array(values: Any) -> np.ndarray:
    """Numpy strings from what Minari gives for texts: a list of str, or of bytes in UTF-8, or an array of them."""
    return np.array([one.decode("utf-8") if isinstance(one, bytes) else str(one) for one in values])
