"""Hidden tokens and what is visible for each of them, for baselines that see what the model sees.

Legend: B trajectories, E tokens, N views, K targets.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from anyorder.elements.batch import Batch
from anyorder.elements.layout import Layout
from anyorder.masking.order import Order, sees_value


@dataclass(frozen=True, eq=False)
class TextQuestions:
    """The targets of an order, view by view: those of a trajectory that see the same are one view.

    Attributes:
        values: int64 ``[N, E]``, the tokens, true ones also where they are hidden.
        asked: bool ``[N, E]``, the targets of each view, K in all.
        visible: bool ``[N, E]``; True where the targets of the view see the true value.
        kinds: int64 ``[N, E]``, a `Kind` each.
        places: int64 ``[N, E]``: the number of the token in its turn, from 0, marks not counted.
        numbers: int64 ``[K]``: for each target, in row-major order of ``asked``, its number in row-major order of the targets
            of the order.
    """

    values: Tensor
    asked: Tensor
    visible: Tensor
    kinds: Tensor
    places: Tensor
    numbers: Tensor

    @classmethod
    def of(cls, batch: Batch[Layout], order: Order) -> TextQuestions:
        """All targets of an order."""
        targets, layout = order.targets, batch.layout
        in_row = targets.nonzero()[:, 0]
        rows, ranks = torch.stack([in_row, order.ranks[targets].long()]).unique(dim=1)
        asked = targets[rows] & (order.ranks[rows] == ranks[:, None])
        numbers = (targets.flatten().cumsum(0) - 1).view(targets.shape)
        return cls(
            values=batch.values[rows],
            asked=asked,
            visible=sees_value(order.roles[rows], order.ranks[rows], ranks[:, None].to(order.ranks.dtype)),
            kinds=layout.kind[rows],
            places=places_in_turns(layout)[rows],
            numbers=numbers[rows][asked],
        )


def places_in_turns(layout: Layout) -> Tensor:
    """int64 ``[B, E]``: how many tokens of its turn that may be asked for come before each token."""
    before = layout.askable.cumsum(dim=1) - layout.askable.long()
    first = before.new_full((layout.shape[0], layout.num_units), layout.shape[1])
    first = first.scatter_reduce(1, layout.unit, before, reduce="amin")
    return before - first.gather(1, layout.unit)
