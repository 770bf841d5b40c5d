"""The trajectories of a data set that a run learns from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from anyorder.config import DataConfig
from anyorder.data.storage import read_split
from anyorder.errors import AnyOrderError
from anyorder.types import Trajectory

T = TypeVar("T")


def demonstrations(data: DataConfig) -> list[Trajectory]:
    """As many training trajectories of a data set of grids as the configuration asks for; errors as of
    `chosen_demonstrations`, and for a data set that cannot be read."""
    return chosen_demonstrations(read_split(Path(data.path), "train"), data)


def chosen_demonstrations(train: Sequence[T], data: DataConfig) -> list[T]:
    """As many training trajectories as the configuration asks for: the first ones.

    Raises:
        AnyOrderError: when there are fewer.
    """
    if data.num_demonstrations is None:
        return list(train)
    if not 0 < data.num_demonstrations <= len(train):
        raise AnyOrderError(
            f"data.num_demonstrations must lie between 1 and the {len(train)} of {data.path}; found {data.num_demonstrations}"
        )
    return list(train[: data.num_demonstrations])
