"""The reconstruction loss: cross-entropy of the targets, weighted and averaged.

Legend: B trajectories, E elements, K targets, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from anyorder.elements.grid import object_elements
from anyorder.elements.layout import Kind, Layout
from anyorder.masking.order import Order, Role


@dataclass(frozen=True)
class LossSums:
    """Weighted sums that add up over batches and processes: the mean is taken last, once.

    Attributes:
        loss: ``[len(Kind)]``, of the logits' dtype, sum of weight * NLL (nats) of the targets of each group.
        weight: ``[len(Kind)]``, sum of the weights.
    """

    loss: Tensor
    weight: Tensor

    def mean(self, total_weight: Tensor | None = None) -> Tensor:
        """Sum over the groups of loss / weight; ``total_weight`` replaces the own weights (of a whole update)."""
        weight = self.weight if total_weight is None else total_weight
        return (self.loss / weight.clamp(min=1e-8)).sum()


@dataclass(frozen=True)
class Weighting:
    """How targets are weighted; see `anyorder.config.TrainingConfig` for ``balance`` and ``object_weight``."""

    balance: Literal["kind", "target", "rate"] = "kind"
    object_weight: float = 1.0

    def weights(self, values: Tensor, layout: Layout, order: Order) -> Tensor:
        """float32 ``[K]``: the weight of each target."""
        row, element = order.targets.nonzero(as_tuple=True)
        weights = torch.ones(len(row), device=values.device)
        if self.object_weight != 1.0:
            weights = torch.where(object_elements(values, layout)[row, element], self.object_weight, weights)
        if self.balance == "rate":
            hidden_share = order.targets.sum(dim=1) / (order.roles != Role.DROPPED).sum(dim=1)
            weights = weights / hidden_share[row]
        return weights

    def groups(self, layout: Layout, order: Order) -> Tensor:
        """int64 ``[K]``: targets of one group are averaged together."""
        kinds = layout.kind[order.targets]
        return kinds if self.balance == "kind" else torch.zeros_like(kinds)

    def sums(self, logits: Tensor, values: Tensor, layout: Layout, order: Order) -> LossSums:
        """Weighted NLL sums of one batch.

        Args:
            logits: ``[K, V]`` of the targets in row-major order.
            values: int64 ``[B, E]``, true values.
        """
        nll = functional.cross_entropy(logits, values[order.targets], reduction="none")
        weights, groups = self.weights(values, layout, order), self.groups(layout, order)
        zeros, weights = nll.new_zeros(len(Kind)), weights.to(nll.dtype)
        return LossSums(zeros.index_add(0, groups, weights * nll), zeros.index_add(0, groups, weights))

    def total(self, values: Tensor, layout: Layout, order: Order) -> Tensor:
        """float32 ``[len(Kind)]``: the weight of each group, known before any forward pass."""
        zeros = torch.zeros(len(Kind), device=values.device)
        return zeros.index_add(0, self.groups(layout, order), self.weights(values, layout, order))
