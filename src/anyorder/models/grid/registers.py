"""Attention of registers and readers over the cells of a frame, the registers of the episode, the mission and the
values of actions and returns.

There is one query per frame and many cells, so the projections of keys and values are applied to the query and to the
result instead of to every cell: the same attention for a fraction of the work.

Legend: B trajectories, P of them with a value copy, F frames, C forms, S cells, R = C*F + Q*F + L registers and readers (L of
them of words), K = C*F + U keys (U of them, words and tokens, are the same at every layer), H heads, D width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from anyorder.models.compiling import uncompiled
from anyorder.models.grid.visibility import NO_FRAME, Block, Visibility

MAX_STEPS_APART = 64


@dataclass(frozen=True, eq=False)
class Looks:
    """Which frame each register and reader looks at. Every frame of a copy has a seat for its own register and one for each
    kind of reader, so one product serves all who look; readers sit at the copy in the form that they see.

    Attributes:
        seat: int64 ``[B*R]``, of each register and reader; beyond the seats for registers of a value form where there is none,
            and for readers of words.
        sitting: int64 ``[M*F*(1 + Q)]``, who sits there; beyond B*R for nobody.
        visible: bool ``[B, R, S]``; the cells that each may see.
    """

    seat: Tensor
    sitting: Tensor
    visible: Tensor


@uncompiled
def looks(seen: Visibility) -> Looks:
    """Of the registers and readers of a batch."""
    size, num_frames = seen.cells.shape[:2]
    seats = 1 + len(seen.readers)
    number = torch.arange(size * num_frames, device=seen.cells.device).view(size, num_frames)
    has_values = number < seen.num_values * num_frames
    beyond = (size + seen.num_values) * num_frames * seats
    seat, exists = [number * seats], [torch.ones_like(has_values)]
    if seen.num_values:
        seat.append(((number + size * num_frames) * seats).masked_fill(~has_values, beyond))
        exists.append(has_values)
    for kind, form in enumerate(seen.reader_form.unbind(dim=1)):
        seat.append((number + (form == 1) * size * num_frames) * seats + 1 + kind)
        exists.append(form != NO_FRAME)
    seat.append(torch.full((size, seen.num_word_readers), beyond, device=number.device))
    of_each = torch.cat(seat, dim=1).flatten()
    sitting = torch.full((beyond + 1,), len(of_each), device=of_each.device)
    sitting[of_each] = torch.arange(len(of_each), device=of_each.device)
    visible = torch.cat([seen.cells & there[..., None] for there in exists], dim=1)
    return Looks(of_each, sitting[:-1], functional.pad(visible, (0, 0, 0, seen.num_word_readers)))


class Reader(nn.Module):
    """One attention step.

    Args:
        width: D, divisible by ``num_heads``.
        num_heads: H.
    """

    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.cell_query = nn.Linear(width, num_heads * width)
        self.cell_value = nn.Linear(num_heads * width, width)
        self.query = nn.Linear(width, width)
        self.keys_values = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)
        self.time_bias = nn.Parameter(torch.zeros(num_heads, 2 * MAX_STEPS_APART + 1))

    @uncompiled  # torch 2.13 fails on the sizes that it derives (Invalid ranges [0:-1])
    def forward(self, registers: Tensor, cells: Tensor, lasting: Tensor, look: Looks, seen: Visibility) -> Tensor:
        """What each register and reader reads.

        Args:
            registers: ``[B, R, D]``.
            cells: ``[M*F, S, D]``.
            lasting: ``[B, U, D]``, words and tokens.
            look: which cells are looked at.
            seen: who may see what.

        Returns:
            ``[B, R, D]``.
        """
        batch, num, width = registers.shape
        cell_query = self.cell_query(registers).flatten(0, 1) * width**-0.5
        sitting = _rows(cell_query, look.sitting, look.seat).view(len(cells), -1, width)
        cell_scores = _rows((sitting @ cells.mT).view(len(look.sitting), -1), look.seat, look.sitting)
        cell_scores = cell_scores.view(batch, num, self.num_heads, -1).masked_fill(~look.visible[:, :, None], -torch.inf)

        others = torch.cat([registers[:, : seen.num_registers], lasting], dim=1)
        keys, values = self.keys_values(others).view(batch, -1, 2, self.num_heads, width // self.num_heads).unbind(2)
        query = self.query(registers).view(batch, num, self.num_heads, -1) * (width // self.num_heads) ** -0.5
        found = [
            self._attend(
                cell_scores[:, block.looking],
                torch.einsum("brhd,bkhd->brhk", query[:, block.looking], keys[:, block.seen]) + self._bias(seen, block),
                seen.keys[:, block.looking][:, :, block.seen],
                values[:, block.seen],
            )
            for block in seen.blocks
        ]
        on_cells, from_others = found[0]
        if len(found) > 1:
            every = torch.arange(num, device=registers.device)
            place = torch.cat([every[block.looking] for block in seen.blocks]).argsort()
            on_cells, from_others = (torch.cat(parts, dim=1).index_select(1, place) for parts in zip(*found))
        weights = _rows(on_cells.flatten(2).flatten(0, 1), look.sitting, look.seat).view(len(cells), -1, cells.shape[1])
        from_cells = _rows((weights @ cells).view(len(look.sitting), -1), look.seat, look.sitting)
        return self.cell_value(from_cells.view(batch, num, -1)) + self.out(from_others.flatten(2))

    @staticmethod
    def _attend(cell_scores: Tensor, other_scores: Tensor, visible: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Weights of the cells, ``[B, r, H, S]``, and what is read from r registers' k keys, ``[B, r, H, d]``.

        Args:
            cell_scores: ``[B, r, H, S]``.
            other_scores: ``[B, r, H, k]``.
            visible: bool ``[B, r, k]``.
            values: ``[B, k, H, d]``.
        """
        other_scores = other_scores.masked_fill(~visible[:, :, None], -torch.inf)
        # Attention may also go to nothing: some orders show some registers and readers nothing at all.
        nothing = cell_scores.new_zeros(*cell_scores.shape[:3], 1)
        weights = torch.cat([cell_scores, other_scores, nothing], dim=-1).softmax(dim=-1)
        on_cells, on_others, _ = weights.split([cell_scores.shape[-1], other_scores.shape[-1], 1], dim=-1)
        return on_cells, torch.einsum("brhk,bkhd->brhd", on_others, values)

    def _bias(self, seen: Visibility, block: Block) -> Tensor:
        """``[r, H, k]``: learned by distance in time, the same for every register and reader of a step; zero for words, which
        have none, and for their readers."""
        num_frames = seen.sources.shape[2]
        step = torch.arange(num_frames, device=self.time_bias.device)
        apart = (step - step[block.steps, None]).clamp(-MAX_STEPS_APART, MAX_STEPS_APART) + MAX_STEPS_APART
        by_step = self.time_bias.index_select(1, apart.flatten()).unflatten(1, apart.shape).transpose(0, 1)
        of_words = by_step.new_zeros(*by_step.shape[:2], seen.words.shape[1])
        forms = seen.num_registers // num_frames
        bias = torch.cat([by_step] * forms + [of_words] + [by_step] * len(seen.tokens), dim=2)[:, :, block.seen]
        of_steps = bias.repeat(forms + len(seen.readers), 1, 1)
        return functional.pad(of_steps, (0, 0, 0, 0, 0, seen.keys[:, block.looking].shape[1] - len(of_steps)))


def _rows(tensor: Tensor, which: Tensor, back: Tensor) -> Tensor:
    """``[k, ...]``, rows of ``tensor`` (``[n, ...]``), zero where ``which`` (int64 ``[k]``) is beyond them; ``back`` (int64
    ``[n]``) says which row of the result each row became, or is beyond those, so that the gradient can be gathered likewise."""
    return cast(Tensor, _Rows.apply(tensor, which, back))


class _Rows(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, tensor: Tensor, which: Tensor, back: Tensor) -> Tensor:
        context.save_for_backward(back)
        return _gathered(tensor, which)

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return _gathered(gradient, *context.saved_tensors), None, None


def _gathered(tensor: Tensor, which: Tensor) -> Tensor:
    return functional.pad(tensor, (0, 0, 0, 1)).index_select(0, which)
