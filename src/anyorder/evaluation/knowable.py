"""Which hidden elements are given away by what may be seen of the rest: what a perfect model could know.

An object cell is known if a cell that may be seen shows the same thing in the same state (`anyorder.evaluation.sights`). A
direction is known if another direction may be seen and every turn in between is known: the action may be seen, or the two views
around it contradict every other turn. Both are bounds from below: an object may also be given by the mission, or a door by the
action that opened it. They suppose that it can be inferred where the agent stood.

Levels are those of `anyorder.masking.order`: who looks from a level sees what stands there or below.

Legend: B trajectories, F frames, S cells of a view, E elements.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor

from anyorder.elements.batch import Batch
from anyorder.elements.grid import GridLayout, GridShape
from anyorder.evaluation.whereabouts import UNSEEN_OBJECT
from anyorder.masking.order import NEVER, Order, Role, own_level, value_level


def knowable(batch: Batch[GridLayout], order: Order, sights: Tensor) -> Tensor:
    """bool ``[B, E]``: True for the targets whose value is given away; only object cells and directions are known.

    Args:
        batch: with true values.
        order: of what is asked.
        sights: int64 ``[B, F, S]``, see `anyorder.evaluation.sights.Sights`.
    """
    shape, found = batch.layout.grid, torch.zeros_like(batch.layout.present)
    own, seen = own_level(order.ranks), value_level(order.roles, order.ranks)
    shape.cells(found)[:] = _lowest_of_same(shape.cells(seen), sights) <= shape.cells(own)
    shape.directions(found)[:] = _direction_levels(batch, order, seen) <= shape.directions(own)
    return found & order.targets


def _lowest_of_same(levels: Tensor, sights: Tensor) -> Tensor:
    """int32 ``[B, F, S, 3]``: the lowest level from which each attribute of a cell's thing can be seen, anywhere."""
    thing = (sights + 1).flatten(1)[..., None].expand(-1, -1, 3)
    lowest = torch.full((len(sights), int(thing.max()) + 1, 3), NEVER, dtype=levels.dtype)
    lowest.scatter_reduce_(1, thing, levels.flatten(1, 2), reduce="amin")
    lowest[:, 0] = NEVER  # those of which nothing is known
    return lowest.gather(1, thing).view(levels.shape)


def _direction_levels(batch: Batch[GridLayout], order: Order, seen: Tensor) -> Tensor:
    """int32 ``[B, F]``: the lowest level from which a direction follows from another one and the turns in between."""
    shape = batch.layout.grid
    turn = torch.minimum(shape.actions(seen)[:, :-1], _turn_levels(batch, order))
    levels = shape.directions(seen)
    before, after = torch.full_like(levels, NEVER), torch.full_like(levels, NEVER)
    for step in range(1, shape.num_frames):
        before[:, step] = torch.maximum(turn[:, step - 1], torch.minimum(levels, before)[:, step - 1])
        back = shape.num_frames - 1 - step
        after[:, back] = torch.maximum(turn[:, back], torch.minimum(levels, after)[:, back + 1])
    return torch.minimum(before, after)


def _turn_levels(batch: Batch[GridLayout], order: Order) -> Tensor:
    """int32 ``[B, F - 1]``: the level from which the turn between two views follows from what is visible of both; `NEVER` where
    another turn fits, too."""
    shape = batch.layout.grid
    cells, visible = shape.cells(batch.values), (shape.cells(order.roles) == Role.CONTEXT).all(dim=-1)
    visible = visible & (cells[..., 0] != UNSEEN_OBJECT)
    visible[..., _own_cell(shape)] = False  # it shows what the agent carries
    fits = torch.stack([_fits(cells, visible, moves) for moves in _turns(shape)])
    directions = shape.directions(batch.values)
    turned = (directions[:, 1:] - directions[:, :-1]) % 4
    alone = (fits == torch.stack([turned == number for number in (0, 1, 3)])).all(dim=0)
    ranks = own_level(shape.directions(order.ranks))
    return torch.where(alone, torch.maximum(ranks[:, 1:], ranks[:, :-1]), NEVER)


def _fits(cells: Tensor, visible: Tensor, moves: tuple[Tensor, ...]) -> Tensor:
    """bool ``[B, F - 1]``: True where no cell that is visible before and after one of the moves has changed."""
    fits = torch.zeros(cells.shape[0], cells.shape[1] - 1, dtype=torch.bool)
    for move in moves:
        old, new = (move >= 0).nonzero()[:, 0], move[move >= 0]
        changed = (cells[:, :-1, old] != cells[:, 1:, new]).any(dim=-1)
        fits |= ~(changed & visible[:, :-1, old] & visible[:, 1:, new]).any(dim=-1)
    return fits


@lru_cache
def _turns(shape: GridShape) -> tuple[tuple[Tensor, ...], ...]:
    """The moves that keep the direction, those that turn right, and those that turn left. Each is int64 ``[S]``: where a cell
    of the view is in the next one; -1: out of view, or perhaps changed by the action."""
    stays = _moved(shape, lambda right, ahead: (right, ahead))
    stays[_own_cell(shape) - 1] = -1  # the agent may have taken, dropped, opened or closed what is in front of it
    steps = _moved(shape, lambda right, ahead: (right, ahead - 1))
    turns_right = _moved(shape, lambda right, ahead: (-ahead, right))
    turns_left = _moved(shape, lambda right, ahead: (ahead, -right))
    return (stays, steps), (turns_right,), (turns_left,)


def _moved(shape: GridShape, move: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]) -> Tensor:
    column, row = torch.meshgrid(torch.arange(shape.columns), torch.arange(shape.rows), indexing="ij")
    right, ahead = move(column - shape.columns // 2, shape.rows - 1 - row)
    column, row = right + shape.columns // 2, shape.rows - 1 - ahead
    inside = (column >= 0) & (column < shape.columns) & (row >= 0) & (row < shape.rows)
    return torch.where(inside, column * shape.rows + row, -1).flatten()


def _own_cell(shape: GridShape) -> int:
    """The number of the agent's own cell, at the bottom middle; the one before it is in front of the agent."""
    return shape.columns // 2 * shape.rows + shape.rows - 1
