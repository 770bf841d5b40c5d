"""Encoded data seen otherwise: a part of it, or as several sets, each with its share of what is drawn.

Legend: N trajectories.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Generic, Literal

import torch

from anyorder.elements.batch import Batch, ByLength, EncodedData
from anyorder.elements.layout import LayoutT


class Chosen(ByLength, Generic[LayoutT]):
    """Some trajectories of encoded data.

    Args:
        data: where they come from.
        index: their numbers there, at least one.
    """

    def __init__(self, data: EncodedData[LayoutT], index: Sequence[int]) -> None:
        self._data, self._index = data, list(index)
        self.counted_in: Literal["frames", "tokens"] = data.counted_in
        super().__init__([data.lengths[number] for number in self._index])

    def batch(self, index: Sequence[int]) -> Batch[LayoutT]:
        """The chosen trajectories, padded to the longest."""
        return self._data.batch([self._index[number] for number in index])


class InSets(ByLength, Generic[LayoutT]):
    """Encoded data that come from several sets: layouts say from which one (`Layout.sets`), and each set has its share of the
    trajectories that are drawn.

    One pass over the data draws N trajectories. A set that has more than its share is seen in part, another part in each pass;
    one that has less is seen more often than once.

    Args:
        data: of all sets.
        sets: the number of each trajectory's set, from 0; none may be empty.
        shares: of the trajectories that are drawn, one for each set, that sum to 1; None: as many as the set has.
    """

    def __init__(self, data: EncodedData[LayoutT], sets: Sequence[int], shares: Sequence[float] | None) -> None:
        self._data, self._sets, self._shares = data, list(sets), shares
        self.counted_in: Literal["frames", "tokens"] = data.counted_in
        super().__init__(data.lengths)

    def batch(self, index: Sequence[int]) -> Batch[LayoutT]:
        """The chosen trajectories, padded to the longest."""
        batch = self._data.batch(index)
        return Batch(batch.values, replace(batch.layout, sets=tuple(self._sets[number] for number in index)))

    def _drawn(self, generator: torch.Generator) -> list[int]:
        if self._shares is None:
            return super()._drawn(generator)
        drawn = []
        for number, share in enumerate(self._shares):
            members = torch.tensor([one for one, own in enumerate(self._sets) if own == number])
            wanted = round(share * len(self))
            passes = [members[torch.randperm(len(members), generator=generator)] for _ in range(-(-wanted // len(members)))]
            drawn += torch.cat([members[:0], *passes])[:wanted].tolist()
        return [drawn[place] for place in torch.randperm(len(drawn), generator=generator).tolist()]
