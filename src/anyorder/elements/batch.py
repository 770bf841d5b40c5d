"""From trajectories to batches: encoded once, bucketed by length, padded together.

Legend: B trajectories, E elements, F frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from anyorder.elements.grid import GridVocabulary, collate, encode, parts
from anyorder.elements.layout import Layout
from anyorder.types import Trajectory

BATCHES_PER_POOL = 50
"""Trajectories are sorted by length within a shuffled pool of about so many batches: little padding, still random."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Values and where they belong.

    Attributes:
        values: int64 ``[B, E]``, true values, 0 at padding.
        layout: of the same shape; a `GridLayout` where views of a grid are the elements.
    """

    values: Tensor
    layout: Layout

    def rows(self, index: Tensor) -> Batch:
        """The chosen trajectories; ``index`` is int64 ``[B']``."""
        return Batch(self.values[index], self.layout.rows(index))

    def to(self, device: torch.device | str) -> Batch:
        return Batch(self.values.to(device, non_blocking=True), self.layout.to(device))


class ByLength:
    """Trajectories that are batched with others of about their length.

    Args:
        lengths: of each, in `counted_in`; batches have a budget of so many, padding included.
    """

    counted_in = "frames"
    """What a length counts: frames or tokens."""

    def __init__(self, lengths: Sequence[int]) -> None:
        self.lengths = list(lengths)

    def __len__(self) -> int:
        return len(self.lengths)

    def in_order(self, budget: int) -> list[list[int]]:
        """Every trajectory once, shortest first; always the same batches."""
        by_length = sorted(range(len(self)), key=self.lengths.__getitem__)
        return _cut(by_length, self.lengths, budget)

    def shuffled(self, budget: int, generator: torch.Generator) -> list[list[int]]:
        """Every trajectory once, in random batches of similar lengths, each within the budget (a longer trajectory is
        a batch of its own)."""
        order = torch.randperm(len(self), generator=generator).tolist()
        mean = sum(self.lengths) / len(self)
        size = max(1, int(BATCHES_PER_POOL * budget / mean))
        batches: list[list[int]] = []
        for start in range(0, len(order), size):
            pool = sorted(order[start : start + size], key=self.lengths.__getitem__)
            batches += _cut(pool, self.lengths, budget)
        return [batches[i] for i in torch.randperm(len(batches), generator=generator).tolist()]


class EncodedTrajectories(ByLength):
    """A split of a data set as elements, ready to be batched.

    Args:
        trajectories: all of one view size.
        vocabulary: of the training split.
        max_frames: longer trajectories are cut into parts of so many frames, see `parts`; None: none is.
    """

    def __init__(self, trajectories: Sequence[Trajectory], vocabulary: GridVocabulary, max_frames: int | None = None) -> None:
        self.view = trajectories[0].observations.shape[1:3]
        whole = [encode(trajectory, vocabulary) for trajectory in trajectories]
        self._encoded = [part for encoded in whole for part in parts(encoded, max_frames)]
        super().__init__([len(encoded.frames) for encoded in self._encoded])

    def batch(self, index: Sequence[int]) -> Batch:
        """The chosen trajectories, padded to the longest."""
        return Batch(*collate([self._encoded[i] for i in index], *self.view))


def _cut(index: Sequence[int], lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Consecutive batches whose padded size stays within the budget; ``index`` is sorted by length."""
    batches: list[list[int]] = [[]]
    for i in index:
        if batches[-1] and (len(batches[-1]) + 1) * lengths[i] > budget:
            batches.append([])
        batches[-1].append(i)
    return batches
