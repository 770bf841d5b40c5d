"""The reconstruction loss: cross-entropy of the targets, weighted and averaged.

Legend: B trajectories, E elements, K targets, V vocabulary, G groups of targets.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from anyorder.config import Balance
from anyorder.elements.layout import Kind, Layout
from anyorder.masking.order import Order, Role


@dataclass(frozen=True)
class LossSums:
    """Weighted sums of the loss. Sums of several batches and processes can be added; the mean is taken once, at the end.

    Attributes:
        loss: ``[G]``, dtype of the logits: for each group, the sum of weight * NLL (nats) over its targets.
        weight: ``[G]``, dtype of the logits: for each group, the sum of the weights of its targets.
    """

    loss: Tensor
    weight: Tensor

    def __add__(self, other: LossSums) -> LossSums:
        return LossSums(self.loss + other.loss, self.weight + other.weight)

    def mean(self, total_weight: Tensor | None = None) -> Tensor:
        """The sum over the groups of loss / weight, a scalar. ``total_weight`` (``[G]``, of a whole update) replaces
        these sums' own weight."""
        weight = self.weight if total_weight is None else total_weight
        return (self.loss / weight.clamp(min=1e-8)).sum()


@dataclass(frozen=True, eq=False)
class TargetWeights:
    """How much each target of a batch counts in the loss; known before any forward pass.

    Attributes:
        weight: float32 ``[B, E]``; only the weights at targets are used.
        group: int64 ``[B, E]``; targets of one group are averaged together.
        num_groups: G, above all of them; the same for all batches of a run.
    """

    weight: Tensor
    group: Tensor
    num_groups: int

    def rows(self, index: Tensor) -> TargetWeights:
        return TargetWeights(self.weight[index], self.group[index], self.num_groups)

    def to(self, device: torch.device | str) -> TargetWeights:
        weight, group = (tensor.to(device, non_blocking=True) for tensor in (self.weight, self.group))
        return TargetWeights(weight, group, self.num_groups)

    def total(self, order: Order) -> Tensor:
        """float32 ``[G]``: the sum of the weights of each group's targets."""
        zeros = torch.zeros(self.num_groups, device=self.weight.device)
        return zeros.index_add(0, self.group[order.targets], self.weight[order.targets])

    def sums(self, logits: Tensor, values: Tensor, order: Order) -> LossSums:
        """The weighted sums of the targets' NLL.

        Args:
            logits: ``[K, V]`` of the targets in row-major order.
            values: int64 ``[B, E]``, true values.
            order: the batch's order.
        """
        nll = functional.cross_entropy(logits, values[order.targets], reduction="none")
        groups, weights = self.group[order.targets], self.weight[order.targets].to(nll.dtype)
        zeros = nll.new_zeros(self.num_groups)
        return LossSums(zeros.index_add(0, groups, weights * nll), zeros.index_add(0, groups, weights))


@dataclass(frozen=True)
class Weighting:
    """How targets are weighted; see `anyorder.config.TrainingConfig` for ``balance`` and ``object_weight``, and
    `anyorder.config.DataConfig` for ``filled_weight``.

    Attributes:
        objects: from the values and the layout of a batch to bool ``[B, E]``, the elements that have ``object_weight``; None
            where nothing is an object.
    """

    balance: Balance = "kind"
    object_weight: float = 1.0
    filled_weight: float = 1.0
    objects: Callable[[Tensor, Any], Tensor] | None = None

    def weigh(self, values: Tensor, layout: Layout, order: Order) -> TargetWeights:
        """The weights of one batch.

        Args:
            values: int64 ``[B, E]``, true values.
            layout: the batch's layout.
            order: an order drawn for this layout.
        """
        weight = torch.ones(values.shape, device=values.device)
        if self.objects is not None and self.object_weight != 1.0:
            weight = weight.masked_fill(self.objects(values, layout), self.object_weight)
        if layout.filled is not None:
            weight = torch.where(layout.filled, weight * self.filled_weight, weight)
        if self.balance == "rate":
            target_share = order.targets.sum(dim=1) / (order.roles != Role.DROPPED).sum(dim=1)
            weight = weight / target_share[:, None]
        return TargetWeights(weight, *self._groups(layout))

    def _groups(self, layout: Layout) -> tuple[Tensor, int]:
        """The group of each element, and how many groups there are."""
        if self.balance == "field":
            return layout.attribute, len(layout.fields)
        return (layout.kind, len(Kind)) if self.balance == "kind" else (torch.zeros_like(layout.kind), 1)

    def sums(self, logits: Tensor, values: Tensor, layout: Layout, order: Order) -> LossSums:
        """`weigh` and `TargetWeights.sums` in one."""
        return self.weigh(values, layout, order).sums(logits, values, order)
