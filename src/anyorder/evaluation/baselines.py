"""Two baselines that need no learning: the most frequent value, and the value that was visible last.

Walls, floors and cells out of sight make up most of a view, and most of a view stays; a model is only as good as what
it adds to these two.

Legend: B trajectories, F frames, P elements of a frame (3S + 3), E elements, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from anyorder.elements.batch import Batch, Budget, EncodedData
from anyorder.elements.grid import NUM_VALUES, Attribute, GridLayout, GridVocabulary
from anyorder.elements.layout import Layout
from anyorder.masking.order import Order, sees_value

COUNTED_AT_ONCE = Budget(1024, "frames")


@dataclass(frozen=True, eq=False)
class Baselines:
    """Both baselines, counted on one data set (the training split).

    Attributes:
        most_frequent: int64 ``[len(Attribute)]``, the most frequent value of each attribute.
        nll: float64 ``[V]``, nats: -log of each value's share among the values of its attribute. Every count is raised by
            one, so that a value never seen has a finite NLL.
        kept: float64 ``[len(Attribute)]``: the share of elements that have the value that they had one step earlier. The
            counts of both outcomes are raised by one.
    """

    most_frequent: Tensor
    nll: Tensor
    kept: Tensor

    @classmethod
    def of(cls, data: EncodedData[GridLayout], vocabulary: GridVocabulary) -> Baselines:
        """Count every element of ``data``."""
        counts, kept = count_values(data, len(vocabulary)), count_kept(data)
        allowed = vocabulary.allowed()
        smoothed = torch.where(allowed, counts + 1.0, 0.0).double()
        share = (smoothed / smoothed.sum(dim=1, keepdim=True)).sum(dim=0)
        likely = (kept[:, 1].double() + 1) / (kept.sum(dim=1) + 2)
        return cls(torch.where(allowed, counts, -1).argmax(dim=1), -share.log(), likely)

    def to(self, device: torch.device | str) -> Baselines:
        return Baselines(self.most_frequent.to(device), self.nll.to(device), self.kept.to(device))

    def frequent(self, layout: Layout) -> Tensor:
        """int64 ``[B, E]``: the most frequent value of each element's attribute."""
        return self.most_frequent[layout.attribute]

    def copied(self, batch: Batch[GridLayout], order: Order) -> Copies:
        """The value of the same element in the latest earlier frame in which it was visible, or the most frequent value
        where there is none.

        Visible is what the order shows: context, and the true value of a target of lower rank. Ranks must not
        decrease with the step, so that whatever the next frame may see, all later frames may see, too.
        """
        shape = batch.layout.grid
        copied, known = self.frequent(batch.layout), torch.zeros_like(batch.layout.present)
        frames, roles, ranks = (shape.frames(t) for t in (batch.values, order.roles, order.ranks))
        last = _latest(sees_value(roles[:, :-1], ranks[:, :-1], ranks[:, 1:]))
        found = frames.gather(1, last.clamp(min=0))
        later = shape.frames(copied)[:, 1:]
        later.copy_(torch.where(last >= 0, found, later))
        shape.frames(known)[:, 1:] = last >= 0
        return Copies(copied, known)

    def copied_nll(self, batch: Batch[GridLayout], copies: Copies) -> Tensor:
        """float64 ``[B, E]``, nats, of the true values if a copy is right as often as a value is kept for one step, and
        the other values share the rest in proportion to their shares in the training split. Where there is nothing to
        copy, it is ``nll``."""
        kept, share = self.kept[batch.layout.attribute], torch.exp(-self.nll)
        others = (1 - kept) * share[batch.values] / (1 - share[copies.values])
        nll = -torch.where(copies.values == batch.values, kept, others).log()
        return torch.where(copies.known, nll, self.nll[batch.values])


@dataclass(frozen=True, eq=False)
class Copies:
    """The answers of a baseline that copies; they mean something for targets only.

    Attributes:
        values: int64 ``[B, E]``.
        known: bool ``[B, E]``; True where there was a value to copy.
    """

    values: Tensor
    known: Tensor


def count_values(data: EncodedData[GridLayout], num_values: int) -> Tensor:
    """int64 ``[num_values]``: how often each value occurs in observations, returns and actions; missions are not counted."""
    counts = torch.zeros(num_values, dtype=torch.int64)
    for index in data.in_order(COUNTED_AT_ONCE):
        batch = data.batch(index)
        counted = batch.layout.present & torch.isin(batch.layout.attribute, _COUNTED)
        counts += torch.bincount(batch.values[counted], minlength=num_values)
    return counts


def count_kept(data: EncodedData[GridLayout]) -> Tensor:
    """int64 ``[len(Attribute), 2]``: how often an element of an observation, a return or an action differs from itself
    one step earlier, and how often it does not."""
    counts = torch.zeros(2 * len(Attribute), dtype=torch.int64)
    for index in data.in_order(COUNTED_AT_ONCE):
        batch = data.batch(index)
        shape, layout = batch.layout.grid, batch.layout
        values, attribute = shape.frames(batch.values), shape.frames(layout.attribute)[:, 1:]
        same = values[:, 1:] == values[:, :-1]
        present = shape.frames(layout.present)[:, 1:]
        counts += torch.bincount((2 * attribute + same)[present], minlength=len(counts))
    return counts.view(-1, 2)


_COUNTED = torch.tensor([int(attribute) for attribute in NUM_VALUES])


def _latest(visible: Tensor) -> Tensor:
    """int64, like ``visible`` (bool ``[B, F, P]``): the latest frame up to here in which it was visible, or -1."""
    number = torch.arange(visible.shape[1], device=visible.device)[:, None]
    return torch.where(visible, number, -1).cummax(dim=1).values
