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

from anyorder.models.grid.memory import Carried, Links, receive

PAST, FUTURE = 0, 1
"""Of the two directions from which values come, in the parts of the layers."""
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
        future = links.frames(links.future)

        def carried(frames: slice, direction: int) -> Carried:
            return self.carried(cells[frames], None if absent is None else absent[frames], direction)

        from_past, from_future = receive(links, carried(links.frames(links.writers), PAST), carried(future, FUTURE))
        merged = self.merged(self.own(cells, absent), from_past)
        if len(from_future):
            merged[future] += functional.linear(_by_cell(from_future), self.merge.weight[:, 2 * cells.shape[-1] :])
        return merged

    def own(self, cells: Tensor, absent: Tensor | None) -> Tensor:
        """``[N, S, H, d]``, values for the frame itself; arguments as of `forward`."""
        return _without(absent, _part(self.values, 0, 3, cells)).unflatten(-1, (self.num_heads, -1))

    def carried(self, cells: Tensor, absent: Tensor | None, direction: int) -> Carried:
        """What cells give to the memory of the `PAST` or of the `FUTURE`; other arguments as of `forward`."""
        values = _without(absent, _part(self.values, 1 + direction, 3, cells))
        gates = _without(absent, _part(self.gates, direction, 2, cells).sigmoid())
        return Carried(*(tensor.unflatten(-1, (self.num_heads, -1)).transpose(1, 2) for tensor in (values, gates)))

    def merged(self, own: Tensor, arrived: Tensor) -> Tensor:
        """``[N, S, D]`` from the frame's own values ``[N, S, H, d]``, which pass through a kernel of the layer's own, and
        what arrived from the past, ``[N, H, S, d]``."""
        # Head-major, so that all frames share one matrix product per head.
        kept = self.own_tables.softmax(dim=-1) @ own.permute(2, 1, 0, 3).flatten(2)
        kept = kept.unflatten(2, (len(own), -1)).permute(2, 1, 0, 3)
        together = torch.cat([kept, arrived.transpose(1, 2)], dim=2).flatten(2)
        return functional.linear(together, self.merge.weight[:, : together.shape[-1]], self.merge.bias)


def _part(layer: nn.Linear, number: int, of: int, cells: Tensor) -> Tensor:
    """One of so many equal parts of a layer's output."""
    size = layer.out_features // of
    rows = slice(number * size, (number + 1) * size)
    return functional.linear(cells, layer.weight[rows], layer.bias[rows])


def _by_cell(arrived: Tensor) -> Tensor:
    """``[n, H, S, d] -> [n, S, D]``."""
    return arrived.transpose(1, 2).flatten(2)


def _without(absent: Tensor | None, found: Tensor) -> Tensor:
    """``[N, S, any]`` with zeros where a cell is absent (bool ``[N, S]``; None: nowhere)."""
    return found if absent is None else found.masked_fill(absent[..., None], 0.0)
