"""Beginnings of recorded episodes, from which a model goes on in its imagination."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Sized
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch

from anyorder.seeding import stream

RecordedT = TypeVar("RecordedT", bound=Sized)


@dataclass(frozen=True, eq=False)
class Beginning(Generic[RecordedT]):
    """The beginning of an episode.

    Attributes:
        trajectory: all of it.
        start: step of the last observation that is shown, 0 <= start < T.

    Raises:
        ValueError: for a start outside the episode.
    """

    trajectory: RecordedT
    start: int

    def __post_init__(self) -> None:
        if not 0 <= self.start < len(self.trajectory):
            raise ValueError(f"start must lie between 0 and {len(self.trajectory) - 1} in this episode; found {self.start}")


BeginningT = TypeVar("BeginningT", bound=Beginning[Any])


def random_beginnings(
    begin: Callable[[RecordedT, int], BeginningT], trajectories: Sequence[RecordedT], seed: int
) -> list[BeginningT]:
    """One beginning of each trajectory; its start is drawn uniformly from the steps that have an action."""
    generator = stream(seed, "imagined", "starts")
    draws = torch.rand(len(trajectories), generator=generator, dtype=torch.float64).tolist()
    return [begin(trajectory, int(draw * len(trajectory))) for trajectory, draw in zip(trajectories, draws)]
