"""From an order to who sees what in a grid trajectory: the one place where ranks become attention.

Every *frame* (one observation) has a register, a token that sums it up. A frame can have two forms: the *query* form
shows mask symbols in the place of targets and is scored, the *value* form shows their true values to those of a higher
rank (the noisy and the clean copy of block diffusion, Arriola et al. 2025). An action or a return has no form of its own: those
who may see its value find it as a *token*, and one that is asked for sends a *reader*, which looks at everything it may see
and is seen by nobody.

Frames, registers and readers stand at a level (see `anyorder.masking.order.own_level`) and see what stands at that
level or below; where the value form of a frame can be seen, its query form is not looked at. A transition *symbol* is
the action between two frames as a viewer may see it: the action's value, or `UNKNOWN_ACTION`.

The frames of a trajectory in one form are a *copy* of it. Not every trajectory needs a copy that shows values (see
`needs_values`); those that do stand first in a batch, so all query copies, followed by the value copies, are M copies.

Legend: B trajectories, P of them (the first ones) with a value copy, M = B + P copies, F frames, C forms (1 if P = 0, else 2),
S cells, W mission words, Q kinds of readers of steps, L readers of words (W or 0), R = C*F + Q*F + L registers and readers,
K = C*F + W + tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from anyorder.elements.grid import NUM_VALUES, Attribute, GridLayout, GridShape
from anyorder.masking.order import NEVER, Order, Role, own_level, value_level
from anyorder.models.compiling import uncompiled

UNKNOWN_ACTION = NUM_VALUES[Attribute.ACTION]
NUM_SYMBOLS = UNKNOWN_ACTION + 1
NO_FRAME = -1
SINGLES = {Attribute.ACTION: GridShape.actions, Attribute.RETURN: GridShape.returns}
"""The attributes that have one element per step, and how to take these elements from a row."""


STEPS_PER_BLOCK = 64


@dataclass(frozen=True, eq=False)
class Block:
    """Some successive steps' registers and readers, and what at least one of them may see: attention over a long episode is
    computed block by block, since few of the keys can be seen.

    Attributes:
        steps: of the frames; none for words.
        looking: int64 ``[r]``, which of the R; or all of them.
        seen: int64 ``[k]``, which of the K; or all of them.
    """

    steps: slice
    looking: Tensor | slice
    seen: Tensor | slice


@dataclass(frozen=True, eq=False)
class Visibility:
    """What may be seen by whom. Boolean tensors are True where it may be seen.

    Attributes:
        num_values: P.
        cells: bool ``[B, F, S]``; the cell is in the input (as a value or as the mask symbol).
        absent: bool ``[M*F, S]``, the opposite for all copies; None if no cell of any existing frame is dropped.
        sources: int64 ``[2, M, F]``; number, below M*F, of the frame before, and of the frame after, in the form that
            this frame may see, or `NO_FRAME`.
        symbols: int64 ``[2, M, F]``; the transition before, and the one after the frame, as the frame sees it.
        readers: which kinds of readers of steps there are.
        reader_form: int64 ``[B, Q, F]``; the form in which a reader sees the frame of its step, or `NO_FRAME`.
        reader_symbol: int64 ``[B, Q, F]``; the transition before that frame, as the reader sees it.
        tokens: which kinds of values are tokens.
        num_word_readers: L.
        keys: bool ``[B, R, K]``; what registers and readers may see: registers, then words, then tokens.
        blocks: the parts in which they look.
        words: bool ``[B, W]``.
    """

    num_values: int
    cells: Tensor
    absent: Tensor | None
    sources: Tensor
    symbols: Tensor
    readers: tuple[Attribute, ...]
    reader_form: Tensor
    reader_symbol: Tensor
    tokens: tuple[Attribute, ...]
    num_word_readers: int
    keys: Tensor
    blocks: list[Block]
    words: Tensor

    @property
    def num_registers(self) -> int:
        """C*F: registers come first among those that look, and among the keys."""
        return (1 + bool(self.num_values)) * self.sources.shape[2]

    def copies(self, tensor: Tensor) -> Tensor:
        """``[M, ...]``: for each copy, what ``tensor`` (``[B, ...]``) says about its trajectory."""
        return torch.cat([tensor, tensor[: self.num_values]]) if self.num_values else tensor


@uncompiled  # bookkeeping, and torch 2.13 compiles `tensor == IntEnum.MEMBER` to False
def needs_values(layout: GridLayout, order: Order) -> Tensor:
    """bool ``[B]``; True for trajectories in which some element may see the true value of an observation that is asked for."""
    shape = layout.grid
    looks = order.targets.clone()
    shape.observations(looks)[:] |= shape.observations(order.roles) != Role.DROPPED
    shape.words(looks)[:] = False
    highest = torch.where(looks, order.ranks, -1).amax(dim=1)
    asked = (shape.observations(order.roles) == Role.TARGET).any(dim=-1)
    return (asked & (observation_ranks(shape, order) < highest[:, None])).any(dim=1)


def observation_ranks(shape: GridShape, order: Order) -> Tensor:
    """int32 ``[B, F]``: the rank of each observation, which all of its elements share that are there."""
    ranks, there = shape.observations(order.ranks), shape.observations(order.roles) != Role.DROPPED
    return torch.where(there.any(dim=-1), ranks.masked_fill(~there, 0).amax(dim=-1), ranks.amax(dim=-1))


@uncompiled
def visibility(actions: Tensor, layout: GridLayout, order: Order, num_values: int) -> Visibility:
    """Work out who may see what.

    Args:
        actions: int64 ``[B, F]``, the true actions 0..6 (anything at padding).
        layout: of the batch.
        order: roles and ranks; one without `anyorder.models.grid.ranks_apart.needs_readings`.
        num_values: P, at least those that `needs_values`.
    """
    shape, frames = layout.grid, _Frames.of(layout.grid, order, num_values)
    asked = {a: bool((of(shape, order.roles) == Role.TARGET).any()) for a, of in SINGLES.items()}
    levels = {a: value_level(of(shape, order.roles), of(shape, order.ranks)) for a, of in SINGLES.items()}
    readers = tuple(a for a in SINGLES if asked[a])
    tokens = tuple(a for a in SINGLES if bool((levels[a] < NEVER).any()))
    none = frames.level[:, :0]
    reader_level = torch.cat([none] + [own_level(SINGLES[a](shape, order.ranks)) for a in readers], dim=1)
    words = shape.words(order.roles)
    num_word_readers = shape.num_words * bool((words == Role.TARGET).any())
    word_level = own_level(shape.words(order.ranks)[:, :num_word_readers])
    looking = torch.cat([*frames.levels(), reader_level, word_level], dim=1)
    by_reader = reader_level.unflatten(1, (len(readers), shape.num_frames))
    token_level = torch.cat([none] + [levels[a] for a in tokens], dim=1)

    def transition(action: Tensor, level: Tensor, own: Tensor) -> Tensor:
        return torch.where(level <= own, action, UNKNOWN_ACTION)

    def of_copies(action: Tensor, level: Tensor) -> Tensor:
        return transition(frames.copies(action), frames.copies(level), frames.looking())

    before = _shift(actions, 1, UNKNOWN_ACTION), _shift(levels[Attribute.ACTION], 1, NEVER)
    words = words != Role.DROPPED
    cells = (shape.cells(order.roles) != Role.DROPPED).any(dim=-1)
    token_keys = token_level[:, None] <= looking[..., None]
    keys = torch.cat([frames.registers(looking), words[:, None].expand(-1, looking.shape[1], -1), token_keys], dim=2)
    all_cells = bool((cells | ~shape.observations(layout.present).any(dim=-1, keepdim=True)).all())
    return Visibility(
        num_values=num_values,
        cells=cells,
        absent=None if all_cells else ~frames.copies(cells).flatten(0, 1),
        sources=torch.stack([frames.neighbour(1), frames.neighbour(-1)]),
        symbols=torch.stack([of_copies(*before), of_copies(actions, levels[Attribute.ACTION])]),
        readers=readers,
        reader_form=frames.form(by_reader),
        reader_symbol=transition(before[0][:, None], before[1][:, None], by_reader),
        tokens=tokens,
        num_word_readers=num_word_readers,
        keys=keys,
        blocks=_blocks(keys, shape.num_frames, num_word_readers),
        words=words,
    )


def _blocks(keys: Tensor, num_frames: int, num_word_readers: int) -> list[Block]:
    """The blocks of an episode; a single one of everything if it is short."""
    if num_frames <= STEPS_PER_BLOCK:
        return [Block(slice(None), slice(None), slice(None))]
    of_steps = keys.shape[1] - num_word_readers
    step = torch.arange(of_steps, device=keys.device) % num_frames
    found = []
    for first in range(0, num_frames, STEPS_PER_BLOCK):
        looking = ((step >= first) & (step < first + STEPS_PER_BLOCK)).nonzero()[:, 0]
        seen = keys[:, looking].any(dim=1).any(dim=0).nonzero()[:, 0]
        found.append(Block(slice(first, first + STEPS_PER_BLOCK), looking, seen))
    if num_word_readers:
        found.append(Block(slice(0), torch.arange(of_steps, keys.shape[1], device=keys.device), slice(None)))
    return found


@dataclass(frozen=True, eq=False)
class _Frames:
    """Frames and what others may see of them.

    Attributes:
        level: int32 ``[B, F]``, of the query form; the value form stands one higher.
        exists: bool ``[B, F]``; True where something of the observation is not dropped.
        has_values: bool ``[B, F]``; True where there is a value form. Even a frame without targets needs one beside
            frames with some: its query form has seen their mask symbols.
        num_values: P.
    """

    level: Tensor
    exists: Tensor
    has_values: Tensor
    num_values: int

    @classmethod
    def of(cls, shape: GridShape, order: Order, num_values: int) -> _Frames:
        roles = shape.observations(order.roles)
        exists = (roles != Role.DROPPED).any(dim=-1)
        has_values = exists.clone()
        has_values[num_values:] = False
        return cls(own_level(observation_ranks(shape, order)), exists, has_values, num_values)

    @property
    def num_forms(self) -> int:
        """C."""
        return 1 + bool(self.num_values)

    def levels(self) -> list[Tensor]:
        """C times int32 ``[B, F]``: the levels from which the forms look."""
        return [self.level + form for form in range(self.num_forms)]

    def copies(self, tensor: Tensor) -> Tensor:
        """See `Visibility.copies`."""
        return torch.cat([tensor, tensor[: self.num_values]])

    def looking(self) -> Tensor:
        """int32 ``[M, F]``: the levels from which the copies of frames look."""
        return torch.cat([self.level, self.level[: self.num_values] + 1])

    def form(self, looking: Tensor) -> Tensor:
        """int64 ``[B, any, F]``: 0 or 1, the form in which a viewer at level ``looking`` (int32 ``[B, any, F or 1]``) sees each
        frame, or `NO_FRAME`."""
        sees_query = self.exists[:, None] & (self.level[:, None] <= looking)
        sees_values = self.has_values[:, None] & (self.level[:, None] < looking)
        return torch.where(sees_values, 1, torch.where(sees_query, 0, NO_FRAME))

    def neighbour(self, by: int) -> Tensor:
        """int64 ``[M, F]``: the number of the frame at t - ``by``, in the form that frame t may see."""
        level, exists, has_values = (_shift(t, by, 0) for t in (self.level, self.exists, self.has_values))
        there = _Frames(self.copies(level), self.copies(exists), self.copies(has_values), num_values=0)
        form = there.form(self.looking()[:, None])[:, 0]
        batch, frames = self.level.shape
        row, step = torch.arange(batch, device=form.device)[:, None], torch.arange(frames, device=form.device)
        number = (self.copies(row) + form * batch) * frames + step - by
        return torch.where((form != NO_FRAME) & self.copies(self.exists), number, NO_FRAME)

    def registers(self, looking: Tensor) -> Tensor:
        """bool ``[B, R, C*F]``: the registers that those at levels ``looking`` (int32 ``[B, R]``) may see."""
        form = self.form(looking[..., None])
        return torch.cat([form == number for number in range(self.num_forms)], dim=2)


def _shift(frames: Tensor, by: int, beyond: int) -> Tensor:
    """The value at frame t - by, and ``beyond`` the ends; ``[B, F] -> [B, F]``."""
    shifted = torch.full_like(frames, beyond)
    if by > 0:
        shifted[:, by:] = frames[:, :-by]
    else:
        shifted[:, :by] = frames[:, -by:]
    return shifted
