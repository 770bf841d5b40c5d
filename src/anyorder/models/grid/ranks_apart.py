"""Orders that one pass cannot honour: one reading of the trajectory for each rank that is asked for.

A frame is computed as a whole and stands at one level, so cells of one observation that have ranks of their own (a
permutation of cells) cannot share a pass. Every frame is computed under the mission, so neither can a mission with words
that only some of the ranks may see. Such a trajectory is read once for each rank of its targets, with what the law of ranks
lets this rank see and nothing else; what it sees has no ranks among itself there.

Legend: B trajectories, N readings, E elements, K targets.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from anyorder.elements.grid import GridShape
from anyorder.masking.order import NEVER, Order, Role, own_level, value_level
from anyorder.models.compiling import uncompiled


@dataclass(frozen=True, eq=False)
class Readings:
    """An order that one pass can honour, and that asks for the same.

    Attributes:
        trajectory: int64 ``[N]``, which of the B is read.
        order: of the readings, ``[N, E]``.
        place: int64 ``[K]``, where the answer to each target stands among those of the readings.
    """

    trajectory: Tensor
    order: Order
    place: Tensor


@uncompiled  # torch 2.13 compiles comparisons of tensors with members of an IntEnum wrongly
def needs_readings(shape: GridShape, order: Order) -> Tensor:
    """bool ``[B]``; True for a trajectory in which elements of one observation have different ranks, or in which a rank sees
    another mission than the others; dropped elements do not count."""
    there = order.roles != Role.DROPPED
    lowest, highest = order.ranks.masked_fill(~there, NEVER), order.ranks.masked_fill(~there, -1)
    within = (shape.observations(highest).amax(dim=-1) > shape.observations(lowest).amin(dim=-1)).any(dim=-1)
    if not shape.num_words:
        return within
    ranked_word = (shape.words(highest) > 0).any(dim=1)
    asked = (shape.words(order.roles) == Role.TARGET).any(dim=1) & (highest.amax(dim=1) > 0)
    return within | ranked_word | asked


@uncompiled
def readings(order: Order, apart: Tensor) -> Readings:
    """The readings of a batch.

    Args:
        order: of B trajectories.
        apart: bool ``[B]``; True for those that are read rank by rank. The others are read once, as they are.
    """
    ranks = [_asked(order, row) if apart[row] else order.ranks.new_zeros(1) for row in range(len(apart))]
    number = torch.tensor([len(of_one) for of_one in ranks], device=apart.device)
    trajectory = torch.arange(len(apart), device=apart.device).repeat_interleave(number)
    alone = _at_rank(order.rows(trajectory), torch.cat(ranks)[:, None])
    split = apart[trajectory][:, None]
    read = Order(
        *(torch.where(split, one, whole[trajectory]) for one, whole in ((alone.roles, order.roles), (alone.ranks, order.ranks)))
    )
    row, element = read.targets.nonzero(as_tuple=True)
    return Readings(trajectory, read, (trajectory[row] * order.roles.shape[1] + element).argsort())


def _asked(order: Order, row: int) -> Tensor:
    """int32, at least one: the different ranks of a trajectory's targets."""
    ranks = order.ranks[row][order.targets[row]].unique()
    return ranks if len(ranks) else order.ranks.new_zeros(1)


def _at_rank(order: Order, rank: Tensor) -> Order:
    """What the targets of one rank (int32 ``[N, 1]``) may see: values and mask symbols up to that rank, all at rank 0."""
    level = own_level(rank)
    hidden, value = own_level(order.ranks) <= level, value_level(order.roles, order.ranks) <= level
    asked = order.targets & (order.ranks == rank)
    roles = torch.where(hidden & (order.roles == Role.HIDDEN), Role.HIDDEN, Role.DROPPED)
    roles = torch.where(value, Role.CONTEXT, torch.where(asked, Role.TARGET, roles))
    return Order(roles.to(order.roles.dtype), torch.zeros_like(order.ranks))
