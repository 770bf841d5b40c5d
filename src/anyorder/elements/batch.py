"""From trajectories to batches: trajectories are encoded once, sorted by length and padded together.

Legend: B trajectories, E elements, F frames.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Literal, Protocol, TypeVar

import torch
from torch import Tensor

from anyorder.elements.grid import GridLayout, GridVocabulary, collate, cut_into_parts, encode, returns_beyond
from anyorder.elements.layout import Layout
from anyorder.types import Trajectory

LayoutT_co = TypeVar("LayoutT_co", bound=Layout, covariant=True)
BATCHES_PER_POOL = 50
"""Trajectories are sorted by length within a shuffled pool of about so many batches: little padding, still random."""


@dataclass(frozen=True, eq=False)
class Batch(Generic[LayoutT_co]):
    """Values of trajectories and where they belong.

    Attributes:
        values: int64 ``[B, E]``, true values, 0 at padding.
        layout: where the values belong; a `GridLayout` for trajectories in a grid.
    """

    values: Tensor
    layout: LayoutT_co

    def rows(self, index: Tensor) -> Batch[LayoutT_co]:
        """The chosen trajectories; ``index`` is int64 ``[B']``."""
        return Batch(self.values[index], self.layout.rows(index))

    def to(self, device: torch.device | str) -> Batch[LayoutT_co]:
        return Batch(self.values.to(device, non_blocking=True), self.layout.to(device))


@dataclass(frozen=True)
class Budget:
    """How large a batch may be, padding included.

    Attributes:
        size: upper bound of the longest trajectory's length times the number of trajectories, at least 1; a trajectory that
            is longer than this is a batch of its own.
        counted_in: what ``size`` counts: frames of grids, tokens of conversations.
    """

    size: int
    counted_in: Literal["frames", "tokens"]


class EncodedData(Protocol[LayoutT_co]):
    """A split of a data set as elements, ready to be batched: what training and evaluation need of it."""

    @property
    def lengths(self) -> Sequence[int]:
        """The length of each trajectory, in frames or tokens as `counted_in` says."""

    @property
    def counted_in(self) -> Literal["frames", "tokens"]:
        """What lengths are counted in."""

    def __len__(self) -> int:
        """Number of trajectories."""

    def in_order(self, budget: Budget) -> list[list[int]]:
        """For each batch, the indices of its trajectories. Every trajectory comes once, the shortest first; the batches are
        always the same."""

    def shuffled(self, budget: Budget, generator: torch.Generator) -> list[list[int]]:
        """For each batch, the indices of its trajectories. Every trajectory comes once; the batches are random, of similar
        lengths, and depend on the generator alone."""

    def batch(self, index: Sequence[int]) -> Batch[LayoutT_co]:
        """The chosen trajectories, padded to the longest."""


class EncodedEpisodes(EncodedData[LayoutT_co], Protocol[LayoutT_co]):
    """Encoded data that know their trajectories, which may be cut into parts.

    Attributes:
        origins: of each part, the number of its trajectory.
        gaps: the numbers of the parts in which something is absent.
    """

    origins: list[int]
    gaps: list[int]


class ByLength:
    """The part of `EncodedData` that all kinds of data share: it batches trajectories with others of about their length.

    Args:
        lengths: the length of each trajectory, in frames or tokens as `counted_in` says.
    """

    counted_in: Literal["frames", "tokens"]

    def __init__(self, lengths: Sequence[int]) -> None:
        self.lengths = list(lengths)

    def __len__(self) -> int:
        return len(self.lengths)

    def in_order(self, budget: Budget) -> list[list[int]]:
        """See `EncodedData`."""
        by_length = sorted(range(len(self)), key=self.lengths.__getitem__)
        return _cut(by_length, self.lengths, self._size(budget))

    def shuffled(self, budget: Budget, generator: torch.Generator) -> list[list[int]]:
        """See `EncodedData`. Each batch is within the budget; a trajectory that is longer than the budget is a batch of its
        own."""
        most = self._size(budget)
        order = self._drawn(generator)
        mean = sum(self.lengths) / len(self)
        size = max(1, int(BATCHES_PER_POOL * most / mean))
        batches: list[list[int]] = []
        for start in range(0, len(order), size):
            pool = sorted(order[start : start + size], key=self.lengths.__getitem__)
            batches += _cut(pool, self.lengths, most)
        return [batches[i] for i in torch.randperm(len(batches), generator=generator).tolist()]

    def _drawn(self, generator: torch.Generator) -> list[int]:
        """The trajectories of one pass, in a random order."""
        return torch.randperm(len(self), generator=generator).tolist()

    def _size(self, budget: Budget) -> int:
        if budget.counted_in != self.counted_in:
            raise ValueError(f"the budget of a batch must be counted in {self.counted_in}; found {budget.counted_in}")
        return budget.size


class EncodedTrajectories(ByLength):
    """A split of a data set in a grid as elements, ready to be batched; lengths are counted in frames.

    A line on stderr says so where returns-to-go leave the range that `returns_to_go` knows.

    Args:
        trajectories: at least one; the views of all have the same size.
        vocabulary: the values of the training split.
        max_frames: longer trajectories are cut into parts of so many frames, see `cut_into_parts`; None cuts none.

    Attributes:
        origins: of each part, the number of its trajectory.
        gaps: the numbers of the parts in which something is absent.
    """

    counted_in = "frames"

    def __init__(self, trajectories: Sequence[Trajectory], vocabulary: GridVocabulary, max_frames: int | None = None) -> None:
        self.view = trajectories[0].observations.shape[1:3]
        if beyond := returns_beyond(trajectories):
            _say_that_returns_are_cut(trajectories[0].env_id, *beyond)
        cut = [cut_into_parts(encode(trajectory, vocabulary), max_frames) for trajectory in trajectories]
        self.origins = [number for number, parts in enumerate(cut) for _ in parts]
        self._encoded = [part for parts in cut for part in parts]
        self.gaps = [number for number, part in enumerate(self._encoded) if part.absent is not None]
        super().__init__([len(encoded.frames) for encoded in self._encoded])

    def batch(self, index: Sequence[int]) -> Batch[GridLayout]:
        """The chosen trajectories, padded to the longest."""
        return Batch(*collate([self._encoded[i] for i in index], *self.view))


_SAID: set[str] = set()


def _say_that_returns_are_cut(env_id: str, low: float, high: float) -> None:
    """Say it on stderr, once per environment, and in one process of a run only."""
    if env_id not in _SAID and os.environ.get("RANK", "0") == "0":
        _SAID.add(env_id)
        print(
            f"returns-to-go must lie between 0 and 1; found {low:g} to {high:g} in {env_id}; those beyond count as 0 or 1: to"
            " learn returns, scale the rewards of the environment (gymnasium.wrappers.TransformReward) and collect anew",
            file=sys.stderr,
        )


def _cut(index: Sequence[int], lengths: Sequence[int], most: int) -> list[list[int]]:
    """Consecutive batches of a padded size of at most ``most``; ``index`` is sorted by length."""
    batches: list[list[int]] = [[]]
    for i in index:
        if batches[-1] and (len(batches[-1]) + 1) * lengths[i] > most:
            batches.append([])
        batches[-1].append(i)
    return batches
