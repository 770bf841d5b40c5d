"""A training order: one role and one rank for every element (AOMT, Definition 1; the ranks are ours).

Legend: B trajectories, E elements.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import torch
from torch import Tensor

from anyorder.data.layout import Kind, Layout


class Role(IntEnum):
    """What becomes of an element in one pass.

    | role    | input       | attended to | scored |
    |---------|-------------|-------------|--------|
    | DROPPED | absent      | no          | no     |
    | CONTEXT | true value  | yes         | no     |
    | HIDDEN  | mask symbol | yes         | no     |
    | TARGET  | mask symbol | yes         | yes    |
    """

    DROPPED = 0
    CONTEXT = 1
    HIDDEN = 2
    TARGET = 3


@dataclass(frozen=True, eq=False)
class Order:
    """Roles and ranks of a batch.

    An element may see CONTEXT of a rank no higher than its own, and the true value of a TARGET only if that
    target's rank is strictly lower.

    Attributes:
        roles: uint8 ``[B, E]``, a `Role` each; padding is DROPPED.
        ranks: int32 ``[B, E]``, >= 0.
    """

    roles: Tensor
    ranks: Tensor

    @property
    def targets(self) -> Tensor:
        """bool ``[B, E]``; True where the element is scored."""
        return self.roles == Role.TARGET

    def rows(self, index: Tensor) -> Order:
        return Order(self.roles[index], self.ranks[index])

    def to(self, device: torch.device | str) -> Order:
        return Order(self.roles.to(device, non_blocking=True), self.ranks.to(device, non_blocking=True))


def reconstruct(layout: Layout, hidden: Tensor) -> Order:
    """Plain any-order reconstruction: hidden elements are targets, the rest is context, all ranks are equal.

    Args:
        layout: of the batch.
        hidden: bool ``[B, E]``; True where an element is hidden and asked for. Padding is ignored.
    """
    roles = torch.full(layout.shape, Role.CONTEXT, dtype=torch.uint8, device=layout.device)
    roles[hidden] = Role.TARGET
    roles[~layout.present] = Role.DROPPED
    return Order(roles, torch.zeros(layout.shape, dtype=torch.int32, device=layout.device))


def by_step(order: Order, layout: Layout) -> Order:
    """The same roles, ranked by environment step: nothing sees what comes after it. The mission has rank 0."""
    return Order(order.roles, layout.step.clamp(min=0).to(torch.int32))


def imitate(layout: Layout) -> Order:
    """Every action a target, everything ranked by step: each action from the mission, the observations up to its step
    and the true actions before it, all in one pass."""
    return by_step(reconstruct(layout, layout.of_kind(Kind.ACTION)), layout)


def sees_value(role: Tensor, rank: Tensor, own_rank: Tensor) -> Tensor:
    """True where an element of rank ``own_rank`` may see the true value of one of (role, rank).

    This is the one place where the law of ranks is written; models build their attention from it.
    """
    context = (role == Role.CONTEXT) & (rank <= own_rank)
    earlier_target = (role == Role.TARGET) & (rank < own_rank)
    return context | earlier_target
