"""What a model's probabilities of bins say about a real number.

A bin's probability is spread evenly over its width; the open bins at both ends count as if they were as wide as the others.

Legend: K questions, V bins, Q levels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from anyorder.elements.spec import Bins, Spec

NEAR_TRUTH = 0.1
"""An answer that is off by at most so many standard deviations of its field is near the truth: right, where a number has to be
right or wrong."""
NEIGHBOURS = 2
"""A number is answered by the mean of a bin and of so many bins on either side, weighted by their probabilities."""


@dataclass(frozen=True, eq=False)
class BinAnswers:
    """Answers to questions about one field, on the CPU.

    Attributes:
        probabilities: float64 ``[K, V]``; rows add up to 1.
        values: the field's bins.
    """

    probabilities: Tensor
    values: Bins

    @classmethod
    def of(cls, logits: Tensor, values: Bins) -> BinAnswers:
        """From logits, ``[K, V' >= V]``, of a model."""
        return cls(logits[:, : len(values)].cpu().double().softmax(dim=-1), values)

    def means(self) -> Tensor:
        """float64 ``[K]``, in the field's unit."""
        return self.probabilities @ torch.from_numpy(self.values.recorded(np.arange(len(self.values))))

    def quantiles(self, *levels: float) -> Tensor:
        """float64 ``[K, Q]``, in the field's unit: what lies above the numbers with this probability."""
        upto = self.probabilities.cumsum(dim=-1)
        asked = torch.tensor(levels, dtype=torch.float64).expand(len(upto), -1).contiguous()
        at = torch.searchsorted(upto, asked).clamp(max=len(self.values) - 1)
        inside = self.probabilities.gather(1, at)
        below = upto.gather(1, at) - inside
        return self.values.low + self.values.width * (at + ((asked - below) / inside).clamp(0, 1))

    def near(self, at: Tensor) -> Tensor:
        """float64 ``[K]``, in the field's unit: the mean over the bins ``at``, int64 ``[K]``, and their `NEIGHBOURS`."""
        number = torch.arange(len(self.values))
        shares = self.probabilities.masked_fill((number - at[:, None]).abs() > NEIGHBOURS, 0.0)
        return shares @ torch.from_numpy(self.values.recorded(number.numpy())) / shares.sum(dim=1)

    def within(self, centre: Tensor, distance: float) -> Tensor:
        """float64 ``[K]``: the probability that the number is off ``centre``, float64 ``[K]``, by less than ``distance``."""
        return self._upto(centre + distance) - self._upto(centre - distance)

    def _upto(self, number: Tensor) -> Tensor:
        """float64 ``[K]``: the probability of everything below ``number``, float64 ``[K]``."""
        place = ((number - self.values.low) / self.values.width).clamp(0, len(self.values))
        at = place.long().clamp(max=len(self.values) - 1)[:, None]
        upto, inside = self.probabilities.cumsum(dim=-1).gather(1, at), self.probabilities.gather(1, at)
        return (upto - inside * (1 - (place[:, None] - at)))[:, 0]

    def below(self, truth: Tensor, levels: Tensor) -> Tensor:
        """float64 ``[K, Q]``: which share of the true bin lies below the quantiles of these levels.

        For a calibrated model its mean over questions is the level itself: the nonrandomised PIT (Czado, Gneiting and Held,
        2009), which is exact also where numbers pile up at one value.

        Args:
            truth: int64 ``[K]``, the true bins.
            levels: float64 ``[Q]``.
        """
        inside = self.probabilities.gather(1, truth[:, None])
        before = self.probabilities.cumsum(dim=-1).gather(1, truth[:, None]) - inside
        return ((levels - before) / inside.clamp(min=torch.finfo(torch.float64).tiny)).clamp(0, 1)

    def nats(self, truth: Tensor) -> Tensor:
        """float64 ``[K]``: see `density_nats`, of the true bins."""
        return density_nats(self.probabilities.gather(1, truth[:, None])[:, 0], self.values)


def density_offsets(spec: Spec) -> Tensor:
    """float64 ``[number of fields]``: what turns the negative log-likelihood of a field's value into `density_nats`; 0 for
    fields that are no numbers."""
    offsets = [math.log(v.width / v.deviation) if isinstance(v := one.values, Bins) else 0.0 for one in spec.fields]
    return torch.tensor(offsets, dtype=torch.float64)


def density_nats(probability: Tensor, values: Bins) -> Tensor:
    """Minus the log of a density per standard deviation: of a bin's probability over its width. It does not depend on how
    many bins there are, as long as they are narrow enough."""
    return math.log(values.width / values.deviation) - probability.log()
