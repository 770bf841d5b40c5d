"""From trajectories to batches: encoded once, bucketed by length, padded together.

Legend: B trajectories, E elements, F frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from anyorder.data.grid import GridLayout, GridVocabulary, collate, encode
from anyorder.types import Trajectory

BATCHES_PER_POOL = 50
"""Trajectories are sorted by length within a shuffled pool of about so many batches: little padding, still random."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Values and where they belong.

    Attributes:
        values: int64 ``[B, E]``, true values, 0 at padding.
        layout: of the same shape.
    """

    values: Tensor
    layout: GridLayout

    def rows(self, index: Tensor) -> Batch:
        """The chosen trajectories; ``index`` is int64 ``[B']``."""
        return Batch(self.values[index], self.layout.rows(index))

    def to(self, device: torch.device | str) -> Batch:
        return Batch(self.values.to(device, non_blocking=True), self.layout.to(device))


class EncodedTrajectories:
    """A split of a data set as elements, ready to be batched.

    Args:
        trajectories: all of one view size.
        vocabulary: of the training split.
    """

    def __init__(self, trajectories: Sequence[Trajectory], vocabulary: GridVocabulary) -> None:
        self.view = trajectories[0].observations.shape[1:3]
        self.num_frames = [len(trajectory) + 1 for trajectory in trajectories]
        self._encoded = [encode(trajectory, vocabulary) for trajectory in trajectories]

    def __len__(self) -> int:
        return len(self._encoded)

    def batch(self, index: Sequence[int]) -> Batch:
        """The chosen trajectories, padded to the longest."""
        return Batch(*collate([self._encoded[i] for i in index], *self.view))

    def in_order(self, frames_per_batch: int) -> list[list[int]]:
        """Every trajectory once, shortest first; always the same batches."""
        by_length = sorted(range(len(self)), key=self.num_frames.__getitem__)
        return _cut(by_length, self.num_frames, frames_per_batch)

    def shuffled(self, frames_per_batch: int, generator: torch.Generator) -> list[list[int]]:
        """Every trajectory once, in random batches of similar lengths, each of at most ``frames_per_batch`` frames
        (a longer trajectory is a batch of its own)."""
        order = torch.randperm(len(self), generator=generator).tolist()
        mean = sum(self.num_frames) / len(self)
        size = max(1, int(BATCHES_PER_POOL * frames_per_batch / mean))
        batches: list[list[int]] = []
        for start in range(0, len(order), size):
            pool = sorted(order[start : start + size], key=self.num_frames.__getitem__)
            batches += _cut(pool, self.num_frames, frames_per_batch)
        return [batches[i] for i in torch.randperm(len(batches), generator=generator).tolist()]


def _cut(index: Sequence[int], num_frames: Sequence[int], frames_per_batch: int) -> list[list[int]]:
    """Consecutive batches whose padded size stays within ``frames_per_batch``; ``index`` is sorted by length."""
    batches: list[list[int]] = [[]]
    for i in index:
        if batches[-1] and (len(batches[-1]) + 1) * num_frames[i] > frames_per_batch:
            batches.append([])
        batches[-1].append(i)
    return batches
