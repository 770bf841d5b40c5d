"""Static attention between the cells of neighbouring frames, learned per transition.

When the agent acts, its view moves: a turn rotates it, a step shifts it. What is hidden in one frame is therefore
visible in the next at a cell that the action dictates. Instead of comparing queries with keys, each head keeps, for
every transition symbol, a table of attention logits between all pairs of cells; its softmax is a *kernel* that
carries values from a frame to its neighbour. The tables know nothing of grids: any environment whose transitions
have symbols can learn its own.

Legend: N frames (of all trajectories, in all their forms), M of them that see a neighbour, S cells, H heads, d = D/H, D width,
A transition symbols.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

STAY = 2.0
"""Initial logit of "the same cell": most of a view moves little, and it breaks the symmetry between cells."""


@dataclass(frozen=True, eq=False)
class Route:
    """Which frames receive from their neighbour, sorted by the symbol of the transition between the two.

    Attributes:
        source, target: int64 ``[M]``, frame numbers below N; values go from source to target.
        symbol: int64 ``[M]``, ascending.
        lengths: how many of them have symbol 0, 1, ..., A-1.
    """

    source: Tensor
    target: Tensor
    symbol: Tensor
    lengths: list[int]


def plan_route(source: Tensor, symbol: Tensor, num_symbols: int) -> Route:
    """The route to each frame from the one it receives from.

    Args:
        source: int64 ``[N]``, the number of that frame; negative where there is none.
        symbol: int64 ``[N]``, of the transition between the two, below ``num_symbols``.
    """
    target = (source >= 0).nonzero()[:, 0]
    sorted_symbol, by_symbol = symbol[target].sort(stable=True)
    target = target[by_symbol]
    lengths = torch.bincount(sorted_symbol, minlength=num_symbols).tolist()
    return Route(source[target], target, sorted_symbol, lengths)


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


class Transport(nn.Module):
    """Carry values between the cells of a frame and from its two neighbours.

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
        self.merge = nn.Linear(3 * width, width)

    def forward(
        self, cells: Tensor, absent: Tensor | None, kernels: tuple[Tensor, Tensor], routes: tuple[Route, Route]
    ) -> Tensor:
        """
        Args:
            cells: ``[N, S, D]``.
            absent: bool ``[N, S]``, True where a cell carries nothing; None if all are present.
            kernels, routes: from the past and from the future neighbour.

        Returns:
            ``[N, S, D]``: what arrived from the frame itself, the frame before and the frame after.
        """
        values = self.values(cells)
        if absent is not None:
            values = values.masked_fill(absent[..., None], 0.0)
        own, past, future = values.unflatten(-1, (3, self.num_heads, -1)).unbind(dim=2)
        own_kernel = self.own_tables.softmax(dim=-1)
        arrived = [
            _carry_all(own_kernel, own),
            carry(kernels[0], routes[0], past),
            carry(kernels[1], routes[1], future),
        ]
        return self.merge(torch.cat(arrived, dim=-1))


def carry(kernels: Tensor, route: Route, values: Tensor) -> Tensor:
    """Apply each transition's kernel to the neighbour's values.

    Args:
        kernels: ``[A, H, S, S]``.
        route: who receives from whom.
        values: ``[N, S, H, d]``.

    Returns:
        ``[N, S, D]``; zero for frames that see no neighbour.
    """
    receive = receive_each if values.is_cuda else receive_grouped
    received = receive(kernels, route, values.index_select(0, route.source))
    arrived = values.new_zeros(*values.shape[:2], values.shape[2] * values.shape[3])
    return arrived.index_copy(0, route.target, received)


def receive_grouped(kernels: Tensor, route: Route, sent: Tensor) -> Tensor:
    """Frames with the same transition share one matrix product: few large ones, for a CPU.

    ``[A, H, S, S]`` applied to ``[M, S, H, d]``: ``[M, S, D]``.
    """
    parts = zip(kernels, sent.split(route.lengths), strict=True)
    received = [_carry_all(kernel, part) for kernel, part in parts if len(part)]
    # With nobody to receive, an empty product keeps the tables in the graph: processes that share an update must
    # agree on which parameters have gradients.
    return torch.cat(received or [_carry_all(kernels[0], sent)])


def receive_each(kernels: Tensor, route: Route, sent: Tensor) -> Tensor:
    """The same with a kernel of its own for each frame: many small products, which run side by side on a GPU."""
    return torch.einsum("nhij,njhd->nihd", kernels.index_select(0, route.symbol), sent).flatten(2)


def _carry_all(kernel: Tensor, values: Tensor) -> Tensor:
    """``[H, S, S]`` applied to ``[N, S, H, d]``: ``[N, S, D]``."""
    return torch.einsum("hij,njhd->nihd", kernel, values).flatten(2)
