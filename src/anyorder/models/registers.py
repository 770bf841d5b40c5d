"""Attention of the registers, one token per step, over their frame's cells, the episode's registers and the mission.

There is one query per frame and many cells, so the projections of keys and values are applied to the query and to the
result instead of to every cell: the same attention for a fraction of the work.

Legend: B trajectories, F frames, N = B*F, S cells, W mission words, H heads, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from anyorder.models.visibility import Visibility

MAX_STEPS_APART = 64


class Reader(nn.Module):
    """One attention step of the registers.

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

    def forward(self, registers: Tensor, cells: Tensor, words: Tensor, seen: Visibility) -> Tensor:
        """
        Args:
            registers: ``[B, F, D]``.
            cells: ``[N, S, D]``.
            words: ``[B, W, D]``.
            seen: who may see what.

        Returns:
            ``[B, F, D]``: what each register read.
        """
        batch, frames, width = registers.shape
        cell_query = self.cell_query(registers).view(batch * frames, self.num_heads, width) * width**-0.5
        cell_scores = (cell_query @ cells.transpose(1, 2)).view(batch, frames, self.num_heads, -1)
        cell_scores = cell_scores.masked_fill(~(seen.cells & seen.register_sees_frame[..., None])[:, :, None], -torch.inf)

        others = torch.cat([registers, words], dim=1)
        keys, values = self.keys_values(others).view(batch, -1, 2, self.num_heads, width // self.num_heads).unbind(2)
        query = self.query(registers).view(batch, frames, self.num_heads, -1) * (width // self.num_heads) ** -0.5
        other_scores = torch.einsum("bfhd,bkhd->bfhk", query, keys) + self._bias(seen)

        weights = torch.cat([cell_scores, other_scores], dim=-1).softmax(dim=-1)
        on_cells, on_others = weights.split([cells.shape[1], others.shape[1]], dim=-1)
        from_cells = on_cells.flatten(0, 1) @ cells
        from_others = torch.einsum("bfhk,bkhd->bfhd", on_others, values)
        return self.cell_value(from_cells.view(batch, frames, -1)) + self.out(from_others.flatten(2))

    def _bias(self, seen: Visibility) -> Tensor:
        """``[B, F, H or 1, F + W]``: learned by distance in time for registers; -inf where it must not be seen."""
        time = torch.arange(seen.registers.shape[1], device=seen.registers.device)
        apart = (time - time[:, None]).clamp(-MAX_STEPS_APART, MAX_STEPS_APART) + MAX_STEPS_APART
        by_time = self.time_bias[:, apart].transpose(0, 1).masked_fill(~seen.registers[:, :, None], -torch.inf)
        by_word = by_time.new_zeros(seen.words.shape).masked_fill(~seen.words, -torch.inf)
        return torch.cat([by_time, by_word[:, None, None].expand(*by_time.shape[:3], -1)], dim=-1)
