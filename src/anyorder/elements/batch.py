"""From trajectories to batches: encoded once, bucketed by length, padded together.

Legend: B trajectories, E elements, F frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Literal, Protocol, TypeVar

import torch
from torch import Tensor

from anyorder.elements.grid import GridLayout, GridVocabulary, collate, cut_into_parts, encode
from anyorder.elements.layout import Layout, LayoutT
from anyorder.types import Trajectory

LayoutT_co = TypeVar("LayoutT_co", bound=Layout, covariant=True)
BATCHES_PER_POOL = 50
"""Trajectories are sorted by length within a shuffled pool of about so many batches: little padding, still random."""


@dataclass(frozen=True, eq=False)
class Batch(Generic[LayoutT]):
    """Values and where they belong.

    Attributes:
        values: int64 ``[B, E]``, true values, 0 at padding.
        layout: of the same shape; a `GridLayout` where views of a grid are the elements.
    """

    values: Tensor
    layout: LayoutT

    def rows(self, index: Tensor) -> Batch[LayoutT]:
        """The chosen trajectories; ``index`` is int64 ``[B']``."""
        return Batch(self.values[index], self.layout.rows(index))

    def to(self, device: torch.device | str) -> Batch[LayoutT]:
        return Batch(self.values.to(device, non_blocking=True), self.layout.to(device))


@dataclass(frozen=True)
class Budget:
    """How large a batch may be, padding included.

    Attributes:
        size: of the longest trajectory times their number, at least 1; a longer trajectory is a batch of its own.
        counted_in: what ``size`` counts: frames of grids, tokens of conversations.
    """

    size: int
    counted_in: Literal["frames", "tokens"]


class EncodedData(Protocol[LayoutT_co]):
    """A split of a data set as elements, ready to be batched: what training and evaluation ask of one."""

    @property
    def lengths(self) -> Sequence[int]:
        """Of each trajectory, in `counted_in`."""

    @property
    def counted_in(self) -> Literal["frames", "tokens"]:
        """What a length counts."""

    def __len__(self) -> int:
        """Number of trajectories."""

    def in_order(self, budget: Budget) -> list[list[int]]:
        """Numbers of trajectories by batch: each once, shortest first; always the same batches."""

    def shuffled(self, budget: Budget, generator: torch.Generator) -> list[list[int]]:
        """Numbers of trajectories by batch: each once, in random batches of similar lengths."""

    def batch(self, index: Sequence[int]) -> Batch[LayoutT_co]:
        """The chosen trajectories, padded to the longest."""


class ByLength:
    """Trajectories that are batched with others of about their length: the part of `EncodedData` that all kinds share.

    Args:
        lengths: of each, in `counted_in`.
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
        """Every trajectory once, in random batches of similar lengths, each within the budget (a longer trajectory is
        a batch of its own)."""
        most = self._size(budget)
        order = torch.randperm(len(self), generator=generator).tolist()
        mean = sum(self.lengths) / len(self)
        size = max(1, int(BATCHES_PER_POOL * most / mean))
        batches: list[list[int]] = []
        for start in range(0, len(order), size):
            pool = sorted(order[start : start + size], key=self.lengths.__getitem__)
            batches += _cut(pool, self.lengths, most)
        return [batches[i] for i in torch.randperm(len(batches), generator=generator).tolist()]

    def _size(self, budget: Budget) -> int:
        if budget.counted_in != self.counted_in:
            raise ValueError(f"the budget of a batch must be counted in {self.counted_in}, found {budget.counted_in}")
        return budget.size


class EncodedTrajectories(ByLength):
    """A split of a data set as elements, ready to be batched.

    Args:
        trajectories: all of one view size.
        vocabulary: of the training split.
        max_frames: longer trajectories are cut into cut_into_parts of so many frames, see `cut_into_parts`; None: none is.
    """

    counted_in = "frames"

    def __init__(self, trajectories: Sequence[Trajectory], vocabulary: GridVocabulary, max_frames: int | None = None) -> None:
        self.view = trajectories[0].observations.shape[1:3]
        whole = [encode(trajectory, vocabulary) for trajectory in trajectories]
        self._encoded = [part for encoded in whole for part in cut_into_parts(encoded, max_frames)]
        super().__init__([len(encoded.frames) for encoded in self._encoded])

    def batch(self, index: Sequence[int]) -> Batch[GridLayout]:
        """The chosen trajectories, padded to the longest."""
        return Batch(*collate([self._encoded[i] for i in index], *self.view))


def _cut(index: Sequence[int], lengths: Sequence[int], most: int) -> list[list[int]]:
    """Consecutive batches of a padded size of at most ``most``; ``index`` is sorted by length."""
    batches: list[list[int]] = [[]]
    for i in index:
        if batches[-1] and (len(batches[-1]) + 1) * lengths[i] > most:
            batches.append([])
        batches[-1].append(i)
    return batches
