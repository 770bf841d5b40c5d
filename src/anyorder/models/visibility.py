"""From an order to what each frame of a grid trajectory may see: the one place where ranks become attention.

A frame is one observation; beside it stands a *register*, the token of the action taken there (at the last frame,
which has no action, a summary of the frame). A transition *symbol* is the action between two frames as one of
them may see it: the action's value, or `UNKNOWN` where that value is hidden from it.

Legend: B trajectories, F frames, S cells, W mission words.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from anyorder.data.grid import NUM_VALUES, GridLayout
from anyorder.data.layout import Attribute
from anyorder.masking.order import Order, Role, sees_value

UNKNOWN = NUM_VALUES[Attribute.ACTION]
NUM_SYMBOLS = UNKNOWN + 1


@dataclass(frozen=True, eq=False)
class Visibility:
    """What may be seen by whom. Boolean tensors are True where it may be seen.

    Attributes:
        cells: bool ``[B, F, S]``; the cell is in the input (as a value or as the mask symbol).
        all_cells: True if no cell of any existing frame is dropped, so that nobody needs to look at ``cells``.
        past, future: bool ``[B, F]``; the frame may see the frame before / after it.
        past_symbol, future_symbol: int64 ``[B, F]``; the action before / after the frame, as the frame sees it.
        register_symbol: int64 ``[B, F]``; the action before the frame, as the register sees it.
        register_sees_frame, frame_sees_register: bool ``[B, F]``, each with the register of the same step.
        registers: bool ``[B, F, F]``; the register of the row may see the register of the column.
        words: bool ``[B, W]``.
    """

    cells: Tensor
    all_cells: bool
    past: Tensor
    future: Tensor
    past_symbol: Tensor
    future_symbol: Tensor
    register_symbol: Tensor
    register_sees_frame: Tensor
    frame_sees_register: Tensor
    registers: Tensor
    words: Tensor


@torch.compiler.disable  # bookkeeping, and torch 2.13 compiles `tensor == IntEnum.MEMBER` to False
def visibility(actions: Tensor, layout: GridLayout, order: Order) -> Visibility:
    """Work out who may see what.

    Args:
        actions: int64 ``[B, F]``, the true actions 0..6 (anything at padding).
        layout: of the batch.
        order: roles and ranks; ranks must be equal within each observation.

    Raises:
        ValueError: for an order this model cannot honour, saying which.
    """
    shape = layout.shape_of_grid
    frame_roles = shape.frames(order.roles)[..., :-1]
    frame_exists = shape.frames(layout.present)[..., 0]
    action_exists = shape.actions(layout.present)
    action_roles = shape.actions(order.roles)
    frame_rank = shape.frames(order.ranks)[..., 0]
    action_rank = shape.actions(order.ranks)
    register_rank = torch.where(action_exists, action_rank, frame_rank)
    _refuse_what_cannot_be_honoured(layout, order, frame_exists)

    cells = (shape.cells(order.roles) != Role.DROPPED).any(dim=-1)
    in_frame = frame_exists & (frame_roles != Role.DROPPED).any(dim=-1)

    def symbol(value: Tensor, role: Tensor, rank: Tensor, own_rank: Tensor) -> Tensor:
        return torch.where(sees_value(role, rank, own_rank), value, UNKNOWN)

    before = [_shift(tensor, 1) for tensor in (actions, action_roles, action_rank)]
    register_pairs = register_rank[:, None, :] <= register_rank[:, :, None]
    return Visibility(
        cells=cells,
        all_cells=bool((cells | ~frame_exists[..., None]).all()),
        past=in_frame & _shift(in_frame, 1) & (_shift(frame_rank, 1) <= frame_rank),
        future=in_frame & _shift(in_frame, -1) & (_shift(frame_rank, -1) <= frame_rank),
        past_symbol=symbol(*before, frame_rank),
        future_symbol=symbol(actions, action_roles, action_rank, frame_rank),
        register_symbol=symbol(*before, register_rank),
        register_sees_frame=in_frame & (frame_rank <= register_rank),
        frame_sees_register=frame_exists & (register_rank <= frame_rank),
        # A padding frame's register sees itself, so that its softmax has something to sum to.
        registers=(register_pairs & frame_exists[:, None, :]) | torch.eye(shape.num_frames, dtype=bool, device=actions.device),
        words=shape.words(order.roles) != Role.DROPPED,
    )


def _shift(frames: Tensor, by: int) -> Tensor:
    """The value at frame t - by, zero (False, DROPPED) beyond the ends; ``[B, F] -> [B, F]``."""
    shifted = torch.zeros_like(frames)
    if by > 0:
        shifted[:, by:] = frames[:, :-by]
    else:
        shifted[:, :by] = frames[:, -by:]
    return shifted


def _refuse_what_cannot_be_honoured(layout: GridLayout, order: Order, frame_exists: Tensor) -> None:
    shape = layout.shape_of_grid
    ranks = shape.frames(order.ranks)[..., :-1]
    if bool(((ranks != ranks[..., :1]).any(dim=-1) & frame_exists).any()):
        raise ValueError("the grid model needs one rank for all elements of an observation, found several in one")
    words = shape.words(order.roles)
    if bool((words == Role.TARGET).any()):
        raise ValueError("the grid model cannot rebuild mission words; make them context, hidden or dropped")
    if shape.num_words and bool((shape.words(order.ranks)[words != Role.DROPPED] > 0).any()):
        raise ValueError("the grid model shows the mission to everything, so its rank must be 0")
    highest = torch.where(layout.present, order.ranks, 0).amax(dim=1)[:, None]
    observed = order.targets & layout.present
    shape.words(observed)[:] = False
    shape.actions(observed)[:] = False
    if bool((observed & (order.ranks < highest)).any()):
        raise ValueError(
            "the grid model cannot show the true value of a hidden observation to later ranks; give observation"
            " targets the highest rank of their trajectory"
        )
