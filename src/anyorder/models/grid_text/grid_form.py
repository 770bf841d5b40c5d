"""Which cells of a grid are written as one token, which as three, and which together as a run.

Legend: B trajectories, E elements, F frames, S cells of a view.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from anyorder.elements.grid import NUM_VALUES, WALL, Attribute, GridLayout
from anyorder.masking.order import Order, Role
from anyorder.models.grid_text.grid_tokens import BACKGROUND_COLORS, SHORTEST_RUN


@dataclass(frozen=True, eq=False)
class CellForm:
    """The form of every cell, from roles and from what is shown alone.

    Attributes:
        whole: bool ``[B, F, S]``; True where object, color and state have one role and rank, and are not dropped.
        head: int64 ``[B, F, S]``; the first cell of the run that a cell is in; the cell itself where it is in none.
        length: int64 ``[B, F, S]``; the length of a run, at its head; 0 elsewhere.
    """

    whole: Tensor
    head: Tensor
    length: Tensor


def cell_form(values: Tensor, layout: GridLayout, order: Order, longest_run: int) -> CellForm:
    """The form of a batch; see `anyorder.models.grid_text.grid_text`.

    Args:
        values: int64 ``[B, E]``, of the grid.
        layout: of the batch.
        order: drawn on that layout.
        longest_run: how many equal cells one run may stand for.
    """
    shape = layout.grid
    roles, ranks, shown = (shape.cells(part) for part in (order.roles, order.ranks, values))
    same = [(part == part[..., :1]).all(dim=-1) for part in (roles, ranks)]
    whole = same[0] & same[1] & (roles[..., 0] != Role.DROPPED)
    may_join = is_background(shown) & whole & (roles[..., 0] == Role.CONTEXT)
    joins = may_join.clone()
    joins[..., 0] = False
    joins[..., 1:] &= may_join[..., :-1] & (shown[..., 1:, :] == shown[..., :-1, :]).all(dim=-1)
    joins[..., 1:] &= ranks[..., 1:, 0] == ranks[..., :-1, 0]

    cells = torch.arange(shape.num_cells).expand(joins.shape)
    first = torch.where(joins, 0, cells).cummax(dim=-1).values
    head = cells - (cells - first) % longest_run
    length = torch.zeros_like(head).scatter_add(-1, head, torch.ones_like(head))
    is_run = length >= SHORTEST_RUN
    head = torch.where(is_run.gather(-1, head), head, cells)
    return CellForm(whole, head, torch.where(is_run, length, 0))


def frame_positions(layout: GridLayout, orders: Iterable[Order]) -> int:
    """How many positions a frame may take under orders like these: its mark, its direction and its action; its return, if any
    order has returns; one for each cell, or three if any order gives a cell's attributes different roles or ranks."""
    shape = layout.grid
    divided = has_returns = False
    for order in orders:
        parts = [shape.cells(part) for part in (order.roles, order.ranks)]
        divided |= any(bool((part != part[..., :1]).any()) for part in parts)
        has_returns |= bool((shape.returns(order.roles) != Role.DROPPED).any())
    return 3 + has_returns + shape.num_cells * (3 if divided else 1)


def is_background(cells: Tensor) -> Tensor:
    """bool ``[...]``: an unseen, empty or wall cell as MiniGrid always shows it; from values ``[..., 3]``."""
    objects, colors, states = cells.unbind(dim=-1)
    usual = NUM_VALUES[Attribute.OBJECT] + torch.tensor(BACKGROUND_COLORS)[objects.clamp(0, WALL)]
    first_state = NUM_VALUES[Attribute.OBJECT] + NUM_VALUES[Attribute.COLOR]
    return (objects <= WALL) & (colors == usual) & (states == first_state)
