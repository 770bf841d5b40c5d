"""Memory that moves with the view: cells receive from the neighbouring frames through kernels learned per transition.

When the agent acts, its view moves: a turn rotates it, a step shifts it. What is hidden in one frame is therefore
visible in another at a cell that the actions in between dictate. Instead of comparing queries with keys, each head
keeps, for every transition symbol, a table of attention logits between all pairs of cells; its softmax is a *kernel*
that carries values from a frame to its neighbour. The tables know nothing of grids: any environment whose transitions
have symbols can learn its own.

Legend: N frames, S cells, H heads, d = D/H, D width, A transition symbols.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from anyorder.models.grid.exchange import exchange
from anyorder.models.grid.memory import Links
from anyorder.models.grid.precision import lowered

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

    def forward(self) -> Tensor:
        """``[2, A + 1, H, S, S]``, from the past and from the future; each row sums to one over the neighbour's cells.
        The last of the A + 1 is zero: nothing arrives."""
        kernels = torch.stack([self.past_tables, self.future_tables]).softmax(dim=-1)
        return torch.cat([kernels, torch.zeros_like(kernels[:, :1])], dim=1)


class Transport(nn.Module):
    """Carry values between the cells of a frame, and along the memories of the past and the future.

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

    def forward(self, cells: Tensor, absent: Tensor | None, links: Links) -> Tensor:
        """What arrives at every cell.

        Args:
            cells: ``[N, S, D]``.
            absent: bool ``[N, S]``, True where a cell carries nothing; None if all are present.
            links: of the batch.

        Returns:
            ``[N, S, D]``: what arrived from the frame itself and from the memories of its neighbours.
        """
        weight, bias = (
            lowered(_by_receiver(values, gates))
            for values, gates in ((self.values.weight, self.gates.weight), (self.values.bias, self.gates.bias))
        )
        merge = lowered(self.merge.weight), lowered(self.merge.bias)
        return exchange(cells, absent, (weight, bias), lowered(self._own_kernel()), merge, links)

    def step(self, cells: Tensor, arrived: Tensor) -> tuple[Tensor, Tensor]:
        """The next frame of some chains of the past, all of whose cells are present.

        Args:
            cells: ``[N, S, D]``.
            arrived: ``[N, H, d, S]``, what the frame before sent.

        Returns:
            ``[N, S, D]`` as of `forward`, and the frame's memory, ``[N, H, d, S]``.
        """
        size, heads = cells.shape[2], self.num_heads
        values = functional.linear(cells, self.values.weight[: 2 * size], self.values.bias[: 2 * size]).transpose(1, 2)
        own, past = values.unflatten(1, (2 * heads, -1)).chunk(2, dim=1)
        gates = functional.linear(cells, self.gates.weight[:heads], self.gates.bias[:heads]).sigmoid()
        memory = torch.lerp(arrived, past, gates.transpose(1, 2)[:, :, None])
        both = torch.cat([own @ self._own_kernel().transpose(1, 2), arrived], dim=1).flatten(1, 2)
        return functional.linear(both.transpose(1, 2), self.merge.weight[:, : 2 * size], self.merge.bias), memory

    def _own_kernel(self) -> Tensor:
        return self.own_tables.softmax(dim=-1)


def _by_receiver(values: Tensor, gates: Tensor) -> Tensor:
    """Weights or biases of what cells give: to the future's memory, to their own frame, to the past's memory, each with its
    gates. So what any frame gives is a slice of it, see `exchange`."""
    own, past, future = values.chunk(3)
    to_past, to_future = gates.chunk(2)
    return torch.cat([to_future, future, own, past, to_past])
