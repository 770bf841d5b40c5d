"""What needs no learning: the most frequent value, and the value that was visible last.

Walls, floors and cells out of sight make up most of a view, and most of a view stays; a model is only as good as what
it adds to these two.

Legend: B trajectories, F frames, P elements of a frame (3S + 3), E elements, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from anyorder.data.batch import Batch, EncodedTrajectories
from anyorder.data.grid import NUM_VALUES, GridVocabulary
from anyorder.data.layout import Layout
from anyorder.masking.order import Order, sees_value

FRAMES_PER_COUNT = 1024


@dataclass(frozen=True, eq=False)
class Baselines:
    """Both baselines, counted on one data set (the training split).

    Attributes:
        most_frequent: int64 ``[len(Attribute)]``, the most frequent value of each attribute.
        nll: float32 ``[V]``, nats: -log of each value's share among its attribute's, each count one higher so that a
            value never seen has a finite NLL.
    """

    most_frequent: Tensor
    nll: Tensor

    @classmethod
    def of(cls, data: EncodedTrajectories, vocabulary: GridVocabulary) -> Baselines:
        """Count every element of ``data``."""
        counts = count_values(data, len(vocabulary))
        allowed = vocabulary.allowed()
        smoothed = torch.where(allowed, counts + 1.0, 0.0)
        share = (smoothed / smoothed.sum(dim=1, keepdim=True)).sum(dim=0)
        return cls(torch.where(allowed, counts, -1).argmax(dim=1), -share.log())

    def to(self, device: torch.device | str) -> Baselines:
        return Baselines(self.most_frequent.to(device), self.nll.to(device))

    def frequent(self, layout: Layout) -> Tensor:
        """int64 ``[B, E]``: the most frequent value of each element's attribute."""
        return self.most_frequent[layout.attribute]

    def copied(self, batch: Batch, order: Order) -> Tensor:
        """int64 ``[B, E]``: the value of the same element in the latest earlier frame in which it was visible, or the
        most frequent value where there is none. Meaningful for targets.

        Visible is what the order shows: context, and the true value of a target of lower rank. Ranks must not
        decrease with the step, so that what the next frame may see, all later ones may.
        """
        shape = batch.layout.shape_of_grid
        copied = self.frequent(batch.layout)
        frames, roles, ranks = (shape.frames(t) for t in (batch.values, order.roles, order.ranks))
        last = _latest(sees_value(roles[:, :-1], ranks[:, :-1], ranks[:, 1:]))
        found = frames.gather(1, last.clamp(min=0))
        later = shape.frames(copied)[:, 1:]
        later.copy_(torch.where(last >= 0, found, later))
        return copied


def count_values(data: EncodedTrajectories, num_values: int) -> Tensor:
    """int64 ``[num_values]``: how often each value occurs in observations, returns and actions (missions are not counted)."""
    counts = torch.zeros(num_values, dtype=torch.int64)
    for index in data.in_order(FRAMES_PER_COUNT):
        batch = data.batch(index)
        counted = batch.layout.present & torch.isin(batch.layout.attribute, _COUNTED)
        counts += torch.bincount(batch.values[counted], minlength=num_values)
    return counts


_COUNTED = torch.tensor([int(attribute) for attribute in NUM_VALUES])


def _latest(visible: Tensor) -> Tensor:
    """int64, like ``visible`` (bool ``[B, F, P]``): the latest frame up to here in which it was visible, or -1."""
    number = torch.arange(visible.shape[1], device=visible.device)[:, None]
    return torch.where(visible, number, -1).cummax(dim=1).values
