"""Whether a model makes good use of what it is shown: the same questions, asked from more and more of the trajectory.

A model of the joint distribution answers no worse when it sees more, on average: H(x | a, b) <= H(x | a) (Cover and Thomas,
2006, theorem 2.6.5). Nothing in training enforces that, since every training order is answered by itself.

Legend: B trajectories, E elements, N trajectories of the split, P shares.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from anyorder.elements.batch import Budget, EncodedData
from anyorder.elements.layout import LayoutT
from anyorder.evaluation.statistics import ItemSums, Measured
from anyorder.inference.decoding import ask
from anyorder.masking.order import Order, Role
from anyorder.masking.schedules import Rate
from anyorder.masking.strategies import Cell
from anyorder.masking.strategies.base import episode
from anyorder.models.contract import Model
from anyorder.seeding import stream

ASKED = 0.1
"""Share of the cells that is asked about."""
SHOWN_SHARES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
"""Of the other cells, those that are shown; what a smaller share shows, a larger one shows, too."""


@dataclass(frozen=True)
class ShownScore:
    """The same questions with one share of all else shown.

    Attributes:
        shown: share of the cells of observations and actions, other than those that are asked about, that are visible.
        nats: per hidden element, of its true value; over trajectories, with a bootstrap interval.
        gain: nats that the next smaller share costs more, paired; None for the smallest. Below 0, what was added did harm.
        count: hidden elements.
    """

    shown: float
    nats: Measured
    gain: Measured | None
    count: int

    @property
    def harms(self) -> bool:
        """True if seeing more made the answers worse by more than the interval."""
        return self.gain is not None and self.gain.high is not None and self.gain.high < 0


@torch.no_grad()
def more_shown(
    model: Model[LayoutT],
    data: EncodedData[LayoutT],
    budget: Budget,
    seed: int,
    shares: Sequence[float] = SHOWN_SHARES,
    on_batch: Callable[[int], None] = lambda num_trajectories: None,
) -> list[ShownScore]:
    """Ask a split's hidden cells with each share of the others visible, in ascending order of the shares.

    Args:
        model: in evaluation mode.
        data: the split.
        budget: size of one pass; with another one, other elements are hidden.
        seed: of what is asked and what is shown.
        shares: of the cells that are not asked about.
        on_batch: called with the number of trajectories of each batch.
    """
    nats, counts = np.zeros((len(shares), len(data))), np.zeros(len(data))
    for number, index in enumerate(data.in_order(budget)):
        batch = data.batch(index)
        drawn = stream(seed, "more shown", number)
        asked = Cell(Rate(ASKED, ASKED))(batch.layout, drawn)
        keys = torch.rand(len(index), batch.layout.num_cells, generator=drawn).gather(1, batch.layout.cell)
        rows = asked.targets.nonzero()[:, 0].numpy()
        counts[index] = np.bincount(rows, minlength=len(index))
        for place, share in enumerate(shares):
            order = _shown(asked, episode(batch.layout) & batch.layout.askable & (keys >= share))
            truth = batch.values[order.targets][:, None]
            found = -ask(model, batch, order).log_softmax(dim=-1).cpu().gather(1, truth)[:, 0]
            nats[place, index] = np.bincount(rows, weights=found.double().numpy(), minlength=len(index))
        on_batch(len(index))
    sums = ItemSums(len(data), np.random.default_rng(seed))
    gains = [None, *(sums.ratio(fewer - more, counts) for fewer, more in pairwise(nats))]
    return [
        ShownScore(share, sums.ratio(own, counts), gain, int(counts.sum())) for share, own, gain in zip(shares, nats, gains)
    ]


def _shown(asked: Order, lost: Tensor) -> Order:
    """The order with the same targets in which all that is ``lost``, bool ``[B, E]``, is hidden."""
    return Order(asked.roles.masked_fill(lost & (asked.roles == Role.CONTEXT), int(Role.HIDDEN)), asked.ranks)
