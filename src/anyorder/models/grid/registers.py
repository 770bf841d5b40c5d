"""Attention of registers and readers over the cells of a frame, the registers of the episode, the mission and the
values of actions and returns.

There is one query per frame and many cells, so the projections of keys and values are applied to the query and to the
result instead of to every cell: the same attention for a fraction of the work.

Legend: B trajectories, P of them with a value copy, F frames, C forms, S cells, R = C*F + Q*F registers and readers,
K = C*F + U keys (U of them, words and tokens, are the same at every layer), H heads, D width.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from anyorder.models.compiling import uncompiled
from anyorder.models.grid.visibility import NO_FRAME, Block, Visibility

MAX_STEPS_APART = 64


@dataclass(frozen=True, eq=False)
class Views:
    """The cells that F of the registers or readers of some trajectories look at.

    Attributes:
        cells: ``[b, F, S, D]``, of b trajectories.
        visible: bool ``[b, F, S]``.
    """

    cells: Tensor
    visible: Tensor


def views(cells: Tensor, seen: Visibility) -> list[list[Views]]:
    """For each form and each kind of readers, what they look at, of some trajectories after others from the first one on; those
    that are left out have no such form. ``cells`` is ``[M*F, S, D]``."""
    size, num_values = len(seen.cells), seen.num_values
    queries, values = cells.unflatten(0, (size + num_values, -1)).split([size, num_values])
    found = [[Views(queries, seen.cells)]]
    if num_values:
        found.append([Views(values, seen.cells[:num_values])])
    for form in seen.reader_form.unbind(dim=1):
        visible = seen.cells & (form != NO_FRAME)[..., None]
        parts = [Views(queries[num_values:], visible[num_values:])] if num_values < size else []
        if num_values:
            parts.insert(0, Views(_in_form(queries, values, form[:num_values]), visible[:num_values]))
        found.append(parts)
    return found


def _in_form(queries: Tensor, values: Tensor, form: Tensor) -> Tensor:
    """``[P, F, S, D]`` in one form per frame (int64 ``[P, F]``), whatever it is at `NO_FRAME`."""
    in_queries = form == 0
    return torch.where(in_queries[..., None, None], queries[: len(form)], values) if bool(in_queries.any()) else values


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
    def forward(self, registers: Tensor, looks: Sequence[Sequence[Views]], lasting: Tensor, seen: Visibility) -> Tensor:
        """What each register and reader reads.

        Args:
            registers: ``[B, R, D]``.
            looks: `views` of the cells that are read.
            lasting: ``[B, U, D]``, words and tokens.
            seen: who may see what.

        Returns:
            ``[B, R, D]``.
        """
        batch, num, width = registers.shape
        cell_query = self.cell_query(registers).view(batch, num, self.num_heads, width) * width**-0.5
        cell_scores = _look(
            looks,
            cell_query,
            lambda query, view: (query @ view.cells.transpose(2, 3)).masked_fill(~view.visible[:, :, None], -torch.inf),
            -torch.inf,
        )

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
        from_cells = _look(looks, on_cells, lambda weight, view: weight @ view.cells, 0.0)
        return self.cell_value(from_cells.flatten(2)) + self.out(from_others.flatten(2))

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
        have none."""
        num_frames = seen.sources.shape[2]
        step = torch.arange(num_frames, device=self.time_bias.device)
        apart = (step - step[block.steps, None]).clamp(-MAX_STEPS_APART, MAX_STEPS_APART) + MAX_STEPS_APART
        by_step = self.time_bias.index_select(1, apart.flatten()).unflatten(1, apart.shape).transpose(0, 1)
        of_words = by_step.new_zeros(*by_step.shape[:2], seen.words.shape[1])
        forms = seen.num_registers // num_frames
        bias = torch.cat([by_step] * forms + [of_words] + [by_step] * len(seen.tokens), dim=2)[:, :, block.seen]
        return bias.repeat(forms + len(seen.readers), 1, 1)


def _look(looks: Sequence[Sequence[Views]], of_each: Tensor, look: Callable[[Tensor, Views], Tensor], without: float) -> Tensor:
    """``[B, R, ...]``: what ``look`` finds with each one's part of ``of_each`` (``[B, R, ...]``) in what it looks at, and
    ``without`` where there is nothing to look at."""
    found = []
    for part, parts in zip(of_each.chunk(len(looks), dim=1), looks):
        sizes = [len(view.cells) for view in parts]
        by_rows = [look(rows, view) for rows, view in zip(part[: sum(sizes)].split(sizes), parts)]
        missing = len(part) - sum(sizes)
        if missing:
            by_rows.append(by_rows[0].new_full((missing, *by_rows[0].shape[1:]), without))
        found.append(torch.cat(by_rows))
    return torch.cat(found, dim=1)
