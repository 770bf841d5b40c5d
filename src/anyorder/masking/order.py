"""A training order: one role and one rank for every element (AOMT, Definition 1; the ranks are ours).

Legend: B trajectories, E elements.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import torch
from torch import Tensor

from anyorder.elements.layout import Kind, Layout


class Role(IntEnum):
    """What the model does with an element in one pass.

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


NEVER = torch.iinfo(torch.int32).max
"""The level of a value that nobody may see."""


def own_level(ranks: Tensor) -> Tensor:
    """int32: the level from which an element looks, and from which others see its mask symbol: ``2 * rank``.

    Levels turn the rule of ranks into one comparison: an element at a level sees what stands there or below. The true
    value of a TARGET stands between its own rank and the next (see `value_level`). A model that shows such a value
    lets the value look from that level too: it sees what its target saw, and the values of the same rank.
    """
    return 2 * ranks


def value_level(roles: Tensor, ranks: Tensor) -> Tensor:
    """int32: the level from which an element's true value can be seen: ``2 * rank`` of CONTEXT, ``2 * rank + 1`` of a
    TARGET, `NEVER` for the others."""
    level = own_level(ranks) + (roles == Role.TARGET)
    return torch.where((roles == Role.CONTEXT) | (roles == Role.TARGET), level, NEVER)


def sees_value(role: Tensor, rank: Tensor, own_rank: Tensor) -> Tensor:
    """bool; True where an element of rank ``own_rank`` may see the true value of an element with this role and rank."""
    return value_level(role, rank) <= own_level(own_rank)


def reconstruct(layout: Layout, hidden: Tensor) -> Order:
    """Plain any-order reconstruction: hidden elements are targets, the rest is context, all ranks are equal.

    Returns-to-go sum up the future; they are DROPPED unless they are hidden and asked for.

    Args:
        layout: of the batch.
        hidden: bool ``[B, E]``; True where an element is hidden and asked for. Padding and what is exempt are ignored.
    """
    roles = torch.full(layout.shape, Role.CONTEXT, dtype=torch.uint8, device=layout.device)
    roles[~layout.present | layout.of_kind(Kind.RETURN)] = Role.DROPPED
    roles[hidden & layout.askable] = Role.TARGET
    return Order(roles, torch.zeros(layout.shape, dtype=torch.int32, device=layout.device))


def in_turn(order: Order, layout: Layout) -> Order:
    """The same roles, ranked in the order of events: mission 0, then observation, return and action of step t at
    ``3t + 1``, ``3t + 2`` and ``3t + 3``. An observation does not see the action that follows it."""
    ranks = torch.zeros_like(order.ranks)
    for place, kind in enumerate((Kind.OBSERVATION, Kind.RETURN, Kind.ACTION), start=1):
        ranks = torch.where(layout.of_kind(kind), (3 * layout.step + place).to(torch.int32), ranks)
    return Order(order.roles, ranks)


def look_ahead(order: Order, layout: Layout) -> Order:
    """The same roles, each action ranked after the observation that follows it: observations and returns of step t have
    rank ``2t``, action t has ``2t + 3``, missions have 0. No observation shares a rank with an action, for the reason that
    `imitate` gives."""
    ranks = 2 * layout.step.clamp(min=0) + 3 * layout.of_kind(Kind.ACTION)
    return Order(order.roles, ranks.to(torch.int32))


def imitate(layout: Layout) -> Order:
    """Every action a target, everything ranked in the order of events: each action is predicted from the mission, the
    observations up to its step and the true actions before it, all in one pass.

    With ranks by step alone an action would see the same elements, but in a text model the observation of its step would
    have seen the action's mask symbol, and later steps would read that observation as it was then.
    """
    return in_turn(reconstruct(layout, layout.of_kind(Kind.ACTION)), layout)
