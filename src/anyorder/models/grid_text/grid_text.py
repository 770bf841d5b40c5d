"""Grid trajectories as tokens: an order is drawn on the grid, and grid and order are then written as tokens.

So every strategy and every query means on tokens what it means on the grid, by construction. And the text can be short
without telling what is hidden, because its form depends on what is *shown* alone:

| a cell of the grid whose object, color and state | is written as |
|---|---|
| are asked or hidden together | one token |
| are shown together | one token, or a part of a run |
| have several roles or ranks | a token for each |
| are dropped | nothing |

A *run* is one token for several cells in a row, column by column, that are all unseen, all empty or all wall. A 7x7 view
takes 51 tokens and its action one more (one token per attribute would be 149); with runs, a view that is shown takes some
20 to 25. Runs move nothing: a run stands where its first cell would, and what follows it where it would without runs. So
neighbours in the view are always equally far apart, a model need not count to know where a square is, and positions tell
nothing of what is in a run to those who do not see it. What runs save is time and memory, not positions. ``longest_run``
chooses; the figures are in docs/lab_notes.md.

Legend: B trajectories, M mission tokens, F frames, S cells, E elements of the grid, N places of the widest form,
P = 3S + 4 of them in a frame, L tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from anyorder.elements.batch import Batch
from anyorder.elements.grid import NUM_VALUES, WALL, Attribute, GridLayout
from anyorder.elements.layout import Layout
from anyorder.elements.text.codec import TextCodec, Tokens
from anyorder.errors import AnyOrderError
from anyorder.masking.order import Order, Role
from anyorder.models.grid_text.grid_form import CellForm, cell_form
from anyorder.models.grid_text.grid_tokens import LONGEST_RUN, GridTokens

CELL_PLACES = 3
"""Places of a cell in the widest form: the whole cell, its run or its object; its color; its state."""


@dataclass(frozen=True, eq=False)
class Written:
    """A batch of grids and an order on it, as tokens.

    Attributes:
        batch: tokens ``[B, L]`` and their layout, whose kind, attribute, cell, unit and step are the grid's; a token of
            a whole cell, or of a run, has those of (the first) object. Marks are WORDs and exempt. Positions are those
            of the text without runs.
        order: the same roles and ranks, on the tokens.
        token: int64 ``[B, E]``; which token stands for an element of the grid, -1 for what is dropped. Elements of a whole
            cell share one, and so do the cells of a run; a word of the mission has its first token.
        whole: bool ``[B, E]``; True where that token stands for a whole cell.
    """

    batch: Batch[Layout]
    order: Order
    token: Tensor
    whole: Tensor


class GridText:
    """Writes grid trajectories in tokens.

    Args:
        codec: with the tokens of the grid; see `add_grid_tokens`.
        longest_run: how many equal cells one run may stand for, 1 to 49; 1 writes no runs.

    Raises:
        AnyOrderError: for a tokenizer without those tokens.
    """

    def __init__(self, codec: TextCodec, longest_run: int = 1) -> None:
        if not 1 <= longest_run <= LONGEST_RUN:
            raise AnyOrderError(f"longest_run must be between 1 and {LONGEST_RUN}; found {longest_run}")
        self.codec, self.longest_run = codec, longest_run
        self.tokens = GridTokens.of(codec)
        self._mission = lru_cache(maxsize=100_000)(self._encode_mission)

    def write(self, values: Tensor, layout: GridLayout, order: Order) -> Written:
        """Tokens and their order.

        Args:
            values: int64 ``[B, E]``, as `anyorder.elements.grid` numbers them; what is hidden may be anything.
            layout: of a batch of grid trajectories.
            order: drawn on that layout.

        Raises:
            AnyOrderError: for a mission that the tokenizer changes when it encodes and decodes it.
        """
        missions = [self._mission(mission) for mission in layout.missions]
        with values.device:  # what is made here lies where the batch lies
            form = cell_form(values, layout, order, self.longest_run)
            of_mission = [_of_mission(missions, order), _of_frames(values, layout, order, form, self.tokens)]
            wide = _Wide(*(torch.cat(parts, dim=1) for parts in zip(*of_mission)))
            return _packed(wide, layout, order, form, missions, self.codec.pad_id)

    def _encode_mission(self, mission: str) -> Tokens:
        tokens = self.codec.encode(mission)
        found = self.codec.decode(tokens.ids)
        if found != mission:
            raise AnyOrderError(f"a tokenizer must give the mission {mission!r} back; found {found!r}; choose another")
        return tokens


@dataclass(frozen=True, eq=False)
class _Wide:
    """Places for all that could be written, ``[B, N]``.

    Attributes:
        token: int64.
        exists: bool; False where nothing is written.
        source: int64; the grid's element that a place stands for.
        is_mark: bool; True for marks.
        length: int64; how many positions it takes.
    """

    token: Tensor
    exists: Tensor
    source: Tensor
    is_mark: Tensor
    length: Tensor


def _of_mission(missions: list[Tokens], order: Order) -> tuple[Tensor, ...]:
    longest = max(map(len, missions))
    token, source = torch.zeros(2, len(missions), longest, dtype=torch.int64)
    exists = torch.arange(longest) < torch.tensor([len(mission) for mission in missions])[:, None]
    for row, mission in enumerate(missions):
        token[row, : len(mission)] = torch.tensor(mission.ids)
        source[row, : len(mission)] = torch.tensor(mission.words)
    exists = exists & (order.roles.gather(1, source) != Role.DROPPED)
    return token, exists, source, torch.zeros_like(exists), torch.ones_like(token)


def _of_frames(values: Tensor, layout: GridLayout, order: Order, form: CellForm, tokens: GridTokens) -> tuple[Tensor, ...]:
    shape = layout.grid
    source = torch.arange(shape.num_elements)[None]
    present = shape.frames(order.roles) != Role.DROPPED
    whole, is_head = form.whole, form.head == torch.arange(shape.num_cells)

    def places(mark: Tensor, cells: list[Tensor], after: Tensor) -> Tensor:
        """``[B, F]``, three of ``[B, F, S]`` and ``[B, F, 3]`` -> ``[B, F * P]``."""
        of_cells = torch.stack(torch.broadcast_tensors(*cells), dim=-1).flatten(2)
        return torch.cat([mark[..., None], of_cells, after], dim=2).flatten(1)

    at = shape.cells(source)
    sources = places(shape.directions(source), [*at.unbind(-1)], shape.frames(source)[..., -3:])
    cells = shape.cells(order.roles) != Role.DROPPED
    partly = [cells[..., number] & ~whole for number in range(3)]
    exists = places(present[..., :-2].any(dim=-1), [whole & is_head | partly[0], partly[1], partly[2]], present[..., -3:])
    single = tokens.single + values
    cell = tokens.first + _cell_numbers(shape.cells(values))
    background = shape.cells(values)[..., 0].clamp(0, WALL)
    cell = torch.where(form.length > 0, tokens.run(background, form.length), cell)
    of_attributes = shape.cells(single)
    said = places(
        torch.full(whole.shape[:2], tokens.mark),
        [torch.where(whole, cell, of_attributes[..., 0]), of_attributes[..., 1], of_attributes[..., 2]],
        shape.frames(single)[..., -3:],
    )
    after = (*whole.shape[:2], 3)
    no, one = torch.zeros_like(whole), torch.ones_like(form.length)
    is_mark = places(~no[..., 0], [no, no, no], torch.zeros(after, dtype=torch.bool))
    length = places(one[..., 0], [form.length.clamp(min=1), one, one], torch.ones(after, dtype=torch.int64))
    return said, exists, sources.expand(len(values), -1), is_mark, length


def _cell_numbers(cells: Tensor) -> Tensor:
    """``[..., 3]`` values of the grid -> the number of the whole cell. What is hidden may be anything: it is clamped."""
    number = torch.zeros_like(cells[..., 0])
    start = 0
    for place, attribute in enumerate((Attribute.OBJECT, Attribute.COLOR, Attribute.STATE)):
        size = NUM_VALUES[attribute]
        number = size * number + (cells[..., place] - start).clamp(0, size - 1)
        start += size
    return number


def _packed(wide: _Wide, layout: GridLayout, order: Order, form: CellForm, missions: list[Tokens], pad_id: int) -> Written:
    """Only what exists, on the left."""
    length = int(wide.exists.sum(dim=1).max())
    kept = wide.exists.to(torch.uint8).argsort(dim=1, descending=True, stable=True)[:, :length]
    exists, source = wide.exists.gather(1, kept), wide.source.gather(1, kept)
    is_mark = wide.is_mark.gather(1, kept)

    def of_grid(part: Tensor, at_marks: Tensor | int | None = None) -> Tensor:
        found = part.gather(1, source)
        return torch.where(exists, found if at_marks is None else torch.where(is_mark, at_marks, found), 0)

    taken = wide.length * wide.exists
    positions = (taken.cumsum(dim=1) - taken).gather(1, kept)
    new_cell = layout.num_cells + of_grid(layout.step).clamp(min=0)
    tokens = Layout(
        kind=of_grid(layout.kind),
        attribute=of_grid(layout.attribute, int(Attribute.WORD)),
        step=of_grid(layout.step),
        cell=of_grid(layout.cell, new_cell),
        unit=of_grid(layout.unit),
        num_cells=layout.num_cells + layout.grid.num_frames,
        num_units=layout.num_units,
        missions=layout.missions,
        fields=layout.fields,
        exempt=is_mark & exists,
        given_positions=positions.where(exists, 0),
    )
    values = torch.where(exists, wide.token.gather(1, kept), pad_id)
    roles = of_grid(order.roles, int(Role.CONTEXT)).to(torch.uint8)
    ranks = of_grid(order.ranks).to(torch.int32)
    place = wide.exists.cumsum(dim=1) - 1
    carrier, whole = _carriers(layout, form, missions)
    token = place.gather(1, carrier).where(order.roles != Role.DROPPED, -1)
    return Written(Batch(values, tokens), Order(roles, ranks), token, whole)


def _carriers(layout: GridLayout, form: CellForm, missions: list[Tokens]) -> tuple[Tensor, Tensor]:
    """int64 ``[B, E]``: the place that stands for each element of the grid; bool ``[B, E]``: True for whole cells."""
    shape = layout.grid
    carrier = torch.zeros(layout.shape, dtype=torch.int64)
    whole = torch.zeros(layout.shape, dtype=torch.bool)
    for row, mission in enumerate(missions):
        for place in reversed(range(len(mission))):
            carrier[row, mission.words[place]] = place
    width = 1 + CELL_PLACES * shape.num_cells + 3
    start = max(map(len, missions)) + width * torch.arange(shape.num_frames)[:, None]
    head = (start + 1 + CELL_PLACES * form.head)[..., None]
    shape.cells(carrier)[:] = torch.where(form.whole[..., None], head, head + torch.arange(3))
    shape.frames(carrier)[..., -3:] = start + width - 3 + torch.arange(3)
    shape.cells(whole)[:] = form.whole[..., None]
    return carrier, whole
