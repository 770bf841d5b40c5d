"""Memory that moves with the view: cells receive from the neighbouring frames through kernels learned per transition.

When the agent acts, its view moves: a turn rotates it, a step shifts it. What is hidden in one frame is therefore
visible in another at a cell that the actions in between dictate. Instead of comparing queries with keys, each head
keeps, for every transition symbol, a table of attention logits between all pairs of cells; its softmax is a *kernel*
that carries values from a frame to its neighbour. The tables know nothing of grids: any environment whose transitions
have symbols can learn its own.

Every frame keeps a memory of what is to be carried on: what arrived from its neighbour, overwritten by its own values
as far as a gate says (a linear recurrence, as in Feng et al. 2024, minGRU, but with a kernel in the place of the
identity). One memory comes from the past, one from the future, so a value is remembered over any number of frames.

Legend: B trajectories, F frames, C forms of each, M = B*C, N = M*F frames in all, S cells, H heads, d = D/H, D width,
A transition symbols.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

STAY = 2.0
"""Initial logit of "the same cell": most of a view moves little, and it breaks the symmetry between cells."""
OVERWRITE = 1.0
"""Initial bias of the gates: what is there mostly replaces what arrived."""


class Kernels(nn.Module):
    """The tables of every transition symbol, one set towards the past and one towards the future.

    Args:
        num_symbols: A, "unknown" included.
        num_heads: H.
        num_cells: S.
    """

    def __init__(self, num_symbols: int, num_heads: int, num_cells: int) -> None:
        super().__init__()
        stay = STAY * torch.eye(num_cells).expand(num_symbols, num_heads, -1, -1)
        self.past_tables, self.future_tables = nn.Parameter(stay.clone()), nn.Parameter(stay.clone())

    def forward(self) -> tuple[Tensor, Tensor]:
        """Two tensors ``[A, H, S, S]``; each row sums to one over the neighbour's cells."""
        return self.past_tables.softmax(dim=-1), self.future_tables.softmax(dim=-1)


@dataclass(frozen=True, eq=False)
class Chain:
    """In which order frames receive, from whom, and how.

    Attributes:
        steps: the frames' numbers, each after the one it receives from.
        kernels: F tensors ``[M, H, S, S]``, of the transition to each frame; zero where it receives nothing.
        senders: F tensors int64 ``[M]``, which of the M frames of the step before sends.
    """

    steps: Sequence[int]
    kernels: Sequence[Tensor]
    senders: Sequence[Tensor]


@torch.compiler.disable  # as many links as there are frames, another number in every batch
def link(kernels: Tensor, source: Tensor, symbol: Tensor, by: int) -> Chain:
    """The chain of a batch.

    Args:
        kernels: ``[A, H, S, S]``.
        source: int64 ``[B, C, F]``, the number below N of the frame at t - ``by`` that is received from; negative: none.
        symbol: int64 ``[B, C, F]``, of the transition between the two.
        by: 1 receives from the past, -1 from the future.
    """
    rows, frames = source.flatten(0, 1), source.shape[-1]
    there = (source >= 0).flatten()[:, None, None, None]
    each = kernels.index_select(0, symbol.flatten()) * there
    steps = range(frames) if by > 0 else range(frames - 1, -1, -1)
    return Chain(steps, each.unflatten(0, (-1, frames)).unbind(1), (rows.clamp(min=0) // frames).unbind(1))


class Transport(nn.Module):
    """Carry values between the cells of a frame and along both chains.

    Args:
        width: D, divisible by ``num_heads``.
        num_heads: H.
        num_cells: S.
    """

    def __init__(self, width: int, num_heads: int, num_cells: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.own_tables = nn.Parameter(torch.zeros(num_heads, num_cells, num_cells))
        self.values = nn.Linear(width, 3 * width)
        self.gates = nn.Linear(width, 2 * num_heads)
        self.merge = nn.Linear(3 * width, width)
        nn.init.constant_(self.gates.bias, OVERWRITE)

    def forward(self, cells: Tensor, absent: Tensor | None, chains: tuple[Chain, Chain]) -> Tensor:
        """
        Args:
            cells: ``[N, S, D]``.
            absent: bool ``[N, S]``, True where a cell carries nothing; None if all are present.
            chains: from the past and from the future.

        Returns:
            ``[N, S, D]``: what arrived from the frame itself and from the memories of its neighbours.
        """
        values, gates = self.values_and_gates(cells, absent)
        past, future = (receive(chain, value, gate) for chain, value, gate in zip(chains, values[1:], gates))
        return self.merged(values[0], past, future)

    def values_and_gates(self, cells: Tensor, absent: Tensor | None) -> tuple[Sequence[Tensor], Sequence[Tensor]]:
        """Three tensors ``[N, H, S, d]``, for the frame itself, the past's memory and the future's, and two gates
        ``[N, H, S, 1]`` between 0 (keep what arrived) and 1 (overwrite it)."""
        values, gates = self.values(cells), self.gates(cells).sigmoid()
        if absent is not None:
            values, gates = (tensor.masked_fill(absent[..., None], 0.0) for tensor in (values, gates))
        by_head = [tensor.unflatten(-1, (num, self.num_heads, -1)) for tensor, num in ((values, 3), (gates, 2))]
        return tuple(tensor.permute(2, 0, 3, 1, 4).contiguous().unbind() for tensor in by_head)

    def merged(self, own: Tensor, past: Tensor, future: Tensor) -> Tensor:
        """``[N, S, D]`` from ``[N, H, S, d]`` each: the frame's own values, through a kernel of the layer's own, and what
        arrived."""
        parts = (self.own_tables.softmax(dim=-1) @ own, past, future)
        return self.merge(torch.cat([part.transpose(1, 2).flatten(2) for part in parts], dim=-1))


@torch.compiler.disable
def receive(chain: Chain, values: Tensor, gates: Tensor) -> Tensor:
    """What arrives at each frame from its neighbour's memory: ``[N, H, S, d]``.

    Args:
        chain: of the batch.
        values: ``[N, H, S, d]``.
        gates: ``[N, H, S, 1]``.
    """
    frames = len(chain.kernels)
    own, overwrite = (tensor.unflatten(0, (-1, frames)).unbind(1) for tensor in (values, gates))
    memory, arrived = torch.zeros_like(own[0]), list(own)
    for step in chain.steps:
        arrived[step] = chain.kernels[step] @ memory.index_select(0, chain.senders[step])
        memory = torch.lerp(arrived[step], own[step], overwrite[step])
    return torch.stack(arrived, dim=1).flatten(0, 1)
