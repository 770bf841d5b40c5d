"""In which round each target is answered, when targets are answered one group after the other.

Legend: B trajectories, E elements, N groups.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from anyorder.elements.layout import Layout
from anyorder.masking.order import Order, Role

ROUND_GROUPS = ("element", "cell", "unit")
SEQUENCES = ("time", "reverse", "random")


def rounds(
    layout: Layout, asked: Tensor, group: str, sequence: str | Sequence[int] | Tensor, generator: torch.Generator
) -> Tensor:
    """The round in which each element is answered.

    Args:
        layout: of the batch.
        asked: bool ``[B, E]``; True where an element is to be answered.
        group: what is answered in one round: an ``element``, a ``cell`` or a ``unit``.
        sequence: the order of the groups: ``time`` (rising number: by step, an observation before its action), ``reverse``,
            ``random`` (uniform over permutations, another for each trajectory), or the numbers of the groups in the wanted
            order, one list for all trajectories or int64 ``[B, N]``; groups without an asked element are skipped.
        generator: on the CPU; only ``random`` uses it.

    Returns:
        int64 ``[B, E]``: 0, 1, ... without gaps in each trajectory; -1 where nothing is asked.

    Raises:
        ValueError: for an unknown group or sequence, and for numbers that are out of range, repeated or missing.
    """
    number, num_groups = group_numbers(layout, group)
    place = _places(len(asked), num_groups, sequence, generator)
    open_ = torch.zeros(len(asked), num_groups, dtype=torch.bool).scatter_reduce(1, number, asked, reduce="amax")
    if bool((open_ & (place == num_groups)).any()):
        missing = int((open_ & (place == num_groups)).nonzero()[0, 1])
        raise ValueError(f"the sequence must name every {group} that is asked for; {group} {missing} is missing")
    turn = torch.where(open_, place, num_groups + 1).argsort(dim=1).argsort(dim=1)
    return turn.gather(1, number).masked_fill(~asked, -1)


def rounds_of_ranks(order: Order) -> Tensor:
    """int64 ``[B, E]``: the targets of each trajectory by rank, lowest 0, without gaps; -1 for everything else."""
    highest = torch.iinfo(torch.int32).max
    ranks = order.ranks.masked_fill(~order.targets, highest)
    ordered, index = ranks.sort(dim=1)
    new = torch.cat([torch.zeros_like(ordered[:, :1]), (ordered.diff(dim=1) > 0).int()], dim=1).cumsum(dim=1)
    return torch.empty_like(new).scatter_(1, index, new).masked_fill(~order.targets, -1)


def in_round(order: Order, turn: Tensor, number: int) -> Order:
    """An order of equal ranks as it stands in one round: targets of earlier rounds are CONTEXT, those of
    later rounds HIDDEN."""
    roles = order.roles.masked_fill(order.targets & (turn < number), Role.CONTEXT)
    return Order(roles.masked_fill(turn > number, Role.HIDDEN), order.ranks)


def group_numbers(layout: Layout, group: str) -> tuple[Tensor, int]:
    """int64 ``[B, E]``, the group of each element, and how many there are.

    Raises:
        ValueError: for an unknown group.
    """
    if group == "unit":
        return layout.unit, layout.num_units
    if group == "cell":
        return layout.cell, layout.num_cells
    if group == "element":
        return torch.arange(layout.shape[1]).expand(layout.shape), layout.shape[1]
    raise ValueError(f"the group must be one of {', '.join(ROUND_GROUPS)}; found {group!r}")


def _places(num_rows: int, num_groups: int, sequence: str | Sequence[int] | Tensor, generator: torch.Generator) -> Tensor:
    """int64 ``[B, N]``: the place of each group in the sequence, ``N`` for a group that it does not name."""
    number = torch.arange(num_groups).expand(num_rows, -1)
    if isinstance(sequence, str):
        if sequence not in SEQUENCES:
            raise ValueError(f"the sequence must be one of {', '.join(SEQUENCES)} or a list of numbers; found {sequence!r}")
        if sequence == "random":
            return torch.rand(num_rows, num_groups, generator=generator).argsort(dim=1)
        return number if sequence == "time" else num_groups - 1 - number
    named = torch.as_tensor(sequence, dtype=torch.int64)
    named = named.expand(num_rows, -1)
    if bool(((named < 0) | (named >= num_groups)).any()):
        raise ValueError(f"a sequence must hold numbers from 0 to {num_groups - 1}; found {named.min()} to {named.max()}")
    ordered = named.sort(dim=1).values
    if bool((ordered.diff(dim=1) == 0).any()):
        raise ValueError("a sequence must not name anything twice")
    places = torch.full((num_rows, num_groups), num_groups)
    return places.scatter(1, named, torch.arange(named.shape[1]).expand(num_rows, -1))
