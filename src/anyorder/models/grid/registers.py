"""Attention of registers and readers over the cells of a frame, the registers of the episode, the mission and the
values of actions and returns.

There is one query per frame and many cells, so the projections of keys and values are applied to the query and to the
result instead of to every cell: the same attention for a fraction of the work.

Legend: B trajectories, F frames, C forms of each, S cells, R = C*F + Q*F registers and readers, K = C*F + U keys (U of
them, words and tokens, are the same at every layer), H heads, D width.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from anyorder.models.grid.visibility import NO_TIME, Visibility

MAX_STEPS_APART = 64


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

    @torch.compiler.disable  # torch 2.13 fails on the sizes that it derives (Invalid ranges [0:-1])
    def forward(
        self,
        registers: Tensor,
        cells: Sequence[tuple[Tensor, Tensor]],
        lasting: Tensor,
        seen: Visibility,
    ) -> Tensor:
        """What each register and reader reads.

        Args:
            registers: ``[B, R, D]``.
            cells: pairs of the cells that are read, ``[B, n, S, D]``, and bool ``[B, n, S]``, True where they are present. Each
                pair is for the next n of the R registers and readers; together the pairs are for all R.
            lasting: ``[B, U, D]``, words and tokens.
            seen: who may see what.

        Returns:
            ``[B, R, D]``.
        """
        batch, num, width = registers.shape
        cell_query = self.cell_query(registers).view(batch, num, self.num_heads, width) * width**-0.5
        parts = cell_query.split([len(mask[0]) for _, mask in cells], dim=1)
        cell_scores = torch.cat(
            [
                (query @ read.transpose(2, 3)).masked_fill(~mask[:, :, None], -torch.inf)
                for query, (read, mask) in zip(parts, cells)
            ],
            dim=1,
        )

        others = torch.cat([registers[:, : seen.num_registers], lasting], dim=1)
        keys, values = self.keys_values(others).view(batch, -1, 2, self.num_heads, width // self.num_heads).unbind(2)
        query = self.query(registers).view(batch, num, self.num_heads, -1) * (width // self.num_heads) ** -0.5
        other_scores = torch.einsum("brhd,bkhd->brhk", query, keys) + self._bias(seen)
        other_scores = other_scores.masked_fill(~seen.keys[:, :, None], -torch.inf)

        # Attention may also go to nothing: some orders show some registers and readers nothing at all.
        nothing = cell_scores.new_zeros(*cell_scores.shape[:3], 1)
        weights = torch.cat([cell_scores, other_scores, nothing], dim=-1).softmax(dim=-1)
        on_cells, on_others, _ = weights.split([cell_scores.shape[-1], others.shape[1], 1], dim=-1)
        parts = on_cells.split([len(mask[0]) for _, mask in cells], dim=1)
        from_cells = torch.cat([part @ read for part, (read, _) in zip(parts, cells)], dim=1)
        from_others = torch.einsum("brhk,bkhd->brhd", on_others, values)
        return self.cell_value(from_cells.flatten(2)) + self.out(from_others.flatten(2))

    def _bias(self, seen: Visibility) -> Tensor:
        """``[R, H, K]``: learned by distance in time; zero for words, which have none."""
        apart = (seen.key_time - seen.time[:, None]).clamp(-MAX_STEPS_APART, MAX_STEPS_APART) + MAX_STEPS_APART
        return self.time_bias[:, apart].transpose(0, 1).masked_fill(seen.key_time == NO_TIME, 0.0)
