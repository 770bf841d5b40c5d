"""Which trajectories of a data set a run learns from."""

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
    """The training trajectories of a data set of grids that the configuration asks for."""
    return chosen_demonstrations(read_split(Path(data.path), "train"), data)


def chosen_demonstrations(train: Sequence[T], data: DataConfig) -> list[T]:
    """As many of the training trajectories as the configuration asks for.

    Raises:
        AnyOrderError: when there are not so many.
    """
    if data.num_demonstrations is None:
        return list(train)
    if not 0 < data.num_demonstrations <= len(train):
        raise AnyOrderError(
            f"data.num_demonstrations must lie between 1 and the {len(train)} of {data.path}, found {data.num_demonstrations}"
        )
    return list(train[: data.num_demonstrations])
