"""Memory that moves with the view: cells receive from the neighbouring frames through kernels learned per transition.

When the agent acts, its view moves: a turn rotates it, a step shifts it. What is hidden in one frame is therefore
visible in another at a cell that the actions in between dictate. Instead of comparing queries with keys, each head
keeps, for every transition symbol, a table of attention logits between all pairs of cells; its softmax is a *kernel*
that carries values from a frame to its neighbour. The tables know nothing of grids: any environment whose transitions
have symbols can learn its own.

Every frame keeps a memory of what is to be carried on: what arrived from its neighbour, overwritten by its own values
as far as a gate says (a linear recurrence, as in Feng et al. 2024, minGRU, but with a kernel in the place of the
identity). One memory comes from the past, one from the future, so a value is remembered over any number of frames.

Both memories are computed side by side, in so-called rounds: in round t the one from the past is at frame t and the one from
the future at frame F - 1 - t.

Legend: B trajectories, F frames, C forms of each, M = B*C, N = M*F frames in all, P = F*2M places, round after round, in
each the M of the past and then the M of the future, S cells, H heads, d = D/H, D width, A transition symbols, K = 2*(A + 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

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


@dataclass(frozen=True, eq=False)
class Links:
    """From which frames the memories receive, and through which kernels.

    Attributes:
        tables: ``[K, H, S, S]``, every kernel.
        kernels: ``[P, H, S, S]``, the kernel of each place; no gradient flows through this copy.
        senders: int64 ``[F, 2M]``, which of the 2M memories of the round before sends.
        frames: int64 ``[P]``, the frame of each place, below N from the past and from N on from the future.
        places: int64 ``[2N]``, the inverse of ``frames``.
        alike: int64 ``[P]``, the places ordered by kernel.
        uses: how many of ``alike`` use each of the K kernels.
    """

    tables: Tensor
    kernels: Tensor
    senders: Tensor
    frames: Tensor
    places: Tensor
    alike: Tensor
    uses: list[int]


@torch.compiler.disable  # as many rounds as there are frames, another number in every batch
def link(kernels: Tensor, sources: Tensor, symbols: Tensor) -> Links:
    """The links of a batch.

    Args:
        kernels: ``[2, A + 1, H, S, S]``.
        sources: int64 ``[2, B, C, F]``, the numbers, below N, of the frame before and of the frame after from which each
            frame receives; negative where it receives from none.
        symbols: int64 ``[2, B, C, F]``, of the transitions to these two frames.
    """
    num_frames = sources.shape[-1]
    by_round = [_in_rounds(tensor.flatten(1, 2)) for tensor in (sources, symbols)]
    source, symbol = (tensor.flatten(1) for tensor in by_round)  # [F, 2M]
    size, nothing = source.shape[1] // 2, kernels.shape[1] - 1
    from_future = torch.arange(2 * size, device=source.device) >= size
    kernel = symbol.masked_fill(source < 0, nothing) + from_future * (nothing + 1)
    number = torch.arange(2 * size * num_frames, device=source.device).view(2, size, num_frames)
    frames = _in_rounds(number).flatten()
    tables = kernels.flatten(0, 1)
    return Links(
        tables=tables,
        kernels=tables.detach().index_select(0, kernel.flatten()),
        senders=source.clamp(min=0) // num_frames + from_future * size,
        frames=frames,
        places=frames.argsort(),
        alike=kernel.flatten().argsort(),
        uses=kernel.flatten().bincount(minlength=len(tables)).tolist(),
    )


def _in_rounds(tensor: Tensor) -> Tensor:
    """``[2, M, F] -> [F, 2, M]``."""
    return torch.stack([tensor[0], tensor[1].flip(-1)]).permute(2, 0, 1)


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

    def forward(self, cells: Tensor, absent: Tensor | None, links: Links) -> Tensor:
        """What arrives at every cell.

        Args:
            cells: ``[N, S, D]``.
            absent: bool ``[N, S]``, True where a cell carries nothing; None if all are present.
            links: of the batch.

        Returns:
            ``[N, S, D]``: what arrived from the frame itself and from the memories of its neighbours.
        """
        own, values, gates = self.values_and_gates(cells, absent)
        return self.merged(own, receive(links, values, gates))

    def values_and_gates(self, cells: Tensor, absent: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Values for the frame itself, ``[N, S, H, d]``, and for the memories from the past and from the future,
        ``[2, N, H, S, d]``, and their gates ``[2, N, H, S, 1]`` between 0 (keep what arrived) and 1 (overwrite it)."""
        values, gates = self.values(cells), self.gates(cells).sigmoid()
        if absent is not None:
            values, gates = (tensor.masked_fill(absent[..., None], 0.0) for tensor in (values, gates))
        own, *carried = values.unflatten(-1, (3, self.num_heads, -1)).unbind(2)
        overwrite = gates.unflatten(-1, (2, self.num_heads, 1)).unbind(2)
        return own, *(torch.stack([tensor.transpose(1, 2) for tensor in pair]) for pair in (carried, overwrite))

    def merged(self, own: Tensor, arrived: Tensor) -> Tensor:
        """``[N, S, D]`` from the frame's own values ``[N, S, H, d]``, which pass through a kernel of the layer's own, and
        what arrived from the past and from the future, ``[2, N, H, S, d]``."""
        # Head-major, so that all frames share one matrix product per head.
        kept = self.own_tables.softmax(dim=-1) @ own.permute(2, 1, 0, 3).flatten(2)
        parts = [kept.unflatten(2, (len(own), -1)).permute(2, 1, 0, 3), *(part.transpose(1, 2) for part in arrived)]
        return self.merge(torch.cat(parts, dim=2).flatten(2))


@torch.compiler.disable
def receive(links: Links, values: Tensor, gates: Tensor) -> Tensor:
    """What arrives at each frame from its neighbours' memories: ``[2, N, H, S, d]``.

    Args:
        links: of the batch.
        values: ``[2, N, H, S, d]``.
        gates: ``[2, N, H, S, 1]``.
    """
    return _Receive.apply(links.tables, values, gates, links)


class _Receive(torch.autograd.Function):
    """`receive` with its gradient written out: in each round one product for both memories, and the gradient of a kernel
    in one product over all places that use it."""

    @staticmethod
    def forward(context: Any, tables: Tensor, values: Tensor, gates: Tensor, links: Links) -> Tensor:
        rounds = links.senders.shape
        own, overwrite = (tensor.flatten(0, 1).index_select(0, links.frames) for tensor in (values, gates))
        kernels = links.kernels.to(own.dtype)
        sent, arrived = torch.empty_like(own), torch.empty_like(own)
        per_round = [tensor.unflatten(0, rounds) for tensor in (kernels, own, overwrite, sent, arrived)]
        memory = torch.zeros_like(per_round[1][0])
        for sender, kernel, value, gate, before, after in zip(links.senders, *per_round):
            torch.index_select(memory, 0, sender, out=before)
            torch.bmm(kernel.flatten(0, 1), before.flatten(0, 1), out=after.flatten(0, 1))
            torch.lerp(after, value, gate, out=memory)
        context.links = links
        context.save_for_backward(kernels, own, overwrite, sent, arrived)
        return arrived.index_select(0, links.places).view_as(values)

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        links = context.links
        kernels, own, overwrite, sent, arrived = context.saved_tensors
        to_arrived = gradient.flatten(0, 1).index_select(0, links.frames)
        to_memory, keep = torch.zeros_like(own), 1 - overwrite
        per_round = [tensor.unflatten(0, links.senders.shape) for tensor in (kernels, keep, to_arrived, to_memory)]
        kernel, gate, after, memory = per_round
        for number in reversed(range(len(links.senders))):
            after[number].addcmul_(memory[number], gate[number])
            if number:  # the first round receives nothing
                to_sent = kernel[number].flatten(0, 1).transpose(1, 2) @ after[number].flatten(0, 1)
                memory[number - 1].index_add_(0, links.senders[number], to_sent.view_as(memory[0]))
        to_values = to_memory * overwrite
        to_gates = (to_memory * (own - arrived)).sum(dim=-1, keepdim=True)
        to_values, to_gates = (
            tensor.index_select(0, links.places).unflatten(0, gradient.shape[:2]) for tensor in (to_values, to_gates)
        )
        return _to_tables(links, to_arrived, sent), to_values, to_gates, None


def _to_tables(links: Links, to_arrived: Tensor, sent: Tensor) -> Tensor:
    """The gradient ``[K, H, S, S]`` of the kernels, from that of what arrived and what was sent, both ``[P, H, S, d]``."""
    size = to_arrived.shape[-1]
    after, before = (tensor.index_select(0, links.alike).permute(1, 2, 0, 3).flatten(2) for tensor in (to_arrived, sent))
    gradient, first = torch.zeros_like(links.tables), 0
    for number, uses in enumerate(links.uses):
        of_kernel = slice(first * size, (first + uses) * size)
        if uses:
            gradient[number] = after[:, :, of_kernel] @ before[:, :, of_kernel].transpose(1, 2)
        first += uses
    return gradient
