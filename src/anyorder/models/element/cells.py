"""From elements to the cells that a transformer reads as tokens.

Legend: B trajectories, E elements, C cells, k fields of a cell, N forms of cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

from anyorder.elements.fields import FieldLayout, FrameColumns, FrameShape, frame_columns, mission_columns, words_field
from anyorder.elements.spec import Spec
from anyorder.masking.order import Order, Role
from anyorder.models.compiling import uncompiled


@dataclass(frozen=True, eq=False)
class CellGrid:
    """Where the elements of each cell lie, for rows of one shape. Cells are those of the mission, of its words, then those of
    the frames in order.

    Attributes:
        elements: int64 ``[C, k]``, numbers of the elements of each cell; cells with fewer fields repeat E, which is no element.
        group: int64 ``[C]``, number of the cell's group in the spec.
        place: int64 ``[C]``, number of the cell among all places of the spec: one for each cell of each group.
    """

    elements: Tensor
    group: Tensor
    place: Tensor

    def to(self, device: torch.device) -> CellGrid:
        return CellGrid(self.elements.to(device), self.group.to(device), self.place.to(device))

    def rows(self, index: Tensor) -> CellGrid:
        """The chosen cells; ``index`` is int64 ``[C']``."""
        return CellGrid(self.elements[index], self.group[index], self.place[index])

    def steps(self, layout: FieldLayout) -> Tensor:
        """int64 ``[B, C]``: environment time; 0 for missions."""
        return layout.step[:, self.elements[:, 0]].clamp(min=0)


@lru_cache(maxsize=64)
def cell_grid(spec: Spec, shape: FrameShape) -> CellGrid:
    """The cells of rows of this shape."""
    mission, frame, words = _of_columns(spec, mission_columns(spec)), _of_columns(spec, frame_columns(spec)), words_field(spec)
    num_fields = len(mission_columns(spec).kind)
    num_words = shape.num_head - num_fields
    of_words = torch.full((num_words, mission.elements.shape[1]), -1)
    of_words[:, 0] = num_fields + torch.arange(num_words)
    word = _places(spec)[0 if words is None else words[0]].expand(num_words, 2)
    first = shape.num_head + shape.per_frame * torch.arange(shape.num_frames)
    of_frames = torch.where(frame.elements < 0, -1, frame.elements + first[:, None, None]).flatten(0, 1)
    elements = torch.cat([mission.elements, of_words, of_frames])
    return CellGrid(
        torch.where(elements < 0, shape.num_elements, elements),
        torch.cat([mission.group, word[:, 0], frame.group.repeat(shape.num_frames)]),
        torch.cat([mission.place, word[:, 1], frame.place.repeat(shape.num_frames)]),
    )


def num_places(spec: Spec) -> int:
    """How many places there are: one for each cell of each group."""
    return sum(group[0].num_cells for group in spec.groups)


def _of_columns(spec: Spec, columns: FrameColumns) -> CellGrid:
    """The cells of a mission or of one frame; -1 stands for no element."""
    widest = max(map(len, spec.groups))
    elements = torch.full((columns.num_cells, widest), -1)
    for number in range(columns.num_cells):
        inside = (columns.cell == number).nonzero()[:, 0]
        elements[number, : len(inside)] = inside
    group, first = _places(spec)[columns.attribute[elements[:, 0]]].unbind(dim=1)
    return CellGrid(elements, group, first + columns.place[elements[:, 0]])


def _places(spec: Spec) -> Tensor:
    """int64 ``[fields, 2]``: the group of each field, and the first place of that group."""
    first = torch.tensor([0, *[group[0].num_cells for group in spec.groups]]).cumsum(0)
    numbers = [number for number, group in enumerate(spec.groups) for _ in group]
    return torch.stack([torch.tensor(numbers), first[numbers]], dim=1)


@dataclass(frozen=True, eq=False)
class CellRoles:
    """An order, read cell by cell.

    Attributes:
        order: of cells: TARGET where a field of the cell is one, else CONTEXT where one is shown, else HIDDEN; DROPPED where
            nothing of the cell is there.
        roles: uint8 ``[B, C, k]``, the roles of the cells' fields; DROPPED where a cell has fewer fields.
    """

    order: Order
    roles: Tensor


@uncompiled  # bookkeeping, and torch 2.13 compiles `tensor == IntEnum.MEMBER` to False
def cell_roles(grid: CellGrid, order: Order) -> CellRoles:
    """Roles and ranks of cells."""
    roles = gathered(order.roles, grid, int(Role.DROPPED))
    ranks = gathered(order.ranks, grid).where(roles != Role.DROPPED, 0).amax(dim=2)
    whole = torch.full(ranks.shape, Role.DROPPED, dtype=torch.uint8, device=roles.device)
    for role in (Role.HIDDEN, Role.CONTEXT, Role.TARGET):
        whole = whole.masked_fill((roles == role).any(dim=2), role)
    return CellRoles(Order(whole, ranks), roles)


def ranks_differ_in_cells(grid: CellGrid, order: Order) -> bool:
    """True where elements of one cell have different ranks, so that one token cannot answer them."""
    there = gathered(order.roles, grid, int(Role.DROPPED)) != Role.DROPPED
    ranks = gathered(order.ranks, grid)
    highest = ranks.where(there, -1).amax(dim=2)
    lowest = ranks.where(there, torch.iinfo(ranks.dtype).max).amin(dim=2)
    return bool((there.any(dim=2) & (highest != lowest)).any())


def gathered(elements: Tensor, grid: CellGrid, filling: int = 0) -> Tensor:
    """``[B, E] -> [B, C, k]``: the fields of each cell; ``filling`` where a cell has fewer."""
    return functional.pad(elements, (0, 1), value=filling)[:, grid.elements]
