"""What queries are made of: a part of a training order.

Legend: B trajectories, E elements.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from anyorder.elements.layout import Kind, Layout
from anyorder.masking.order import Order, Role

Step = int | Tensor
"""One step for the whole batch, or int64 ``[B]``."""


class Query(Protocol):
    """Says what is visible and what is asked."""

    def __call__(self, layout: Layout) -> Order: ...


def know(order: Order, known: Tensor) -> Order:
    """The same order with the true values of some targets known: they become CONTEXT, seen by exactly the
    elements that would have seen their true value. Ranks are doubled, which makes room between a target and its value.

    Args:
        order: any order.
        known: bool ``[B, E]``; True for targets whose value is known; other elements are ignored.
    """
    known = known & order.targets
    return Order(order.roles.masked_fill(known, Role.CONTEXT), 2 * order.ranks + known)


def part_of(order: Order, layout: Layout, asked: Tensor, seen: Tensor) -> Order:
    """A part of a training order: what is asked stays, what is seen is known (`know`), the rest of the episode is DROPPED.

    Args:
        order: of the whole trajectories.
        layout: of the batch.
        asked: bool ``[B, E]``; True for the targets that stay.
        seen: bool ``[B, E]``; True for what is shown.
    """
    known = seen & ~asked
    order, marks = know(order, known), _exempt_beside(layout, known & order.targets)
    order = Order(order.roles, order.ranks + marks)
    gone = ~(asked | seen) & (layout.step >= 0)
    return Order(order.roles.masked_fill(gone, Role.DROPPED), order.ranks)


def _exempt_beside(layout: Layout, known: Tensor) -> Tensor:
    """bool ``[B, E]``: exempt elements of units with something known. As in training they read the known part of their
    unit, so they must have its rank."""
    if layout.exempt is None:
        return torch.zeros_like(known)
    units = torch.zeros(layout.shape[0], layout.num_units, dtype=torch.bool, device=known.device)
    return layout.exempt & units.scatter_reduce(1, layout.unit, known, reduce="amax").gather(1, layout.unit)


def parts(layout: Layout) -> tuple[Tensor, Tensor, Tensor]:
    """Steps, int64, and which elements are actions and observations, bool, each ``[B, E]``."""
    return layout.step, layout.of_kind(Kind.ACTION), layout.of_kind(Kind.OBSERVATION)


def last_step_of(layout: Layout, kind: Kind) -> Tensor:
    """int64 ``[B, 1]``: the last step that has something of this kind, -1 without any."""
    return torch.where(layout.of_kind(kind), layout.step, -1).amax(dim=1, keepdim=True)


def within(name: str, number: Step, lowest: Tensor | int, highest: Tensor) -> Tensor:
    """int64 ``[B, 1]``: the number of each trajectory, which must lie within its limits.

    Args:
        name: of the number, for the error message.
        number: one for the batch, or int64 ``[B]``.
        lowest, highest: the limits, inclusive, int64 ``[B, 1]``.

    Raises:
        ValueError: for a number outside of the limits of its trajectory.
    """
    numbers = torch.as_tensor(number, device=highest.device).reshape(-1, 1).expand_as(highest)
    lowest = torch.as_tensor(lowest, device=highest.device).expand_as(highest)
    wrong = ((numbers < lowest) | (numbers > highest)).nonzero()
    if len(wrong):
        row = int(wrong[0, 0])
        low, high, found = int(lowest[row]), int(highest[row]), int(numbers[row])
        allowed = f"must be between {low} and {high}" if low <= high else "has no allowed value"
        where = f" in trajectory {row} of the batch" if len(highest) > 1 else ""
        raise ValueError(f"{name} {allowed}{where}; found {found}")
    return numbers
