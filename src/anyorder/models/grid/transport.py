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
the future at frame F - 1 - t. Where no frame of a batch receives from the future, as when everything is ranked by time, only
the memory of the past is computed. Forms of frames that send to nobody write no memory.

Legend: B trajectories, F frames, C forms of each and W of these that write, N = B*C*F and Nw = B*W*F frames, R directions that
are received from (1: the past, 2: the future, too), P = F*R*B*C places, round after round, S cells, H heads, d = D/H, D width,
A transition symbols, K = R*(A + 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

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
        shape: R, B, C and F.
        writers: which of the C forms write a memory, W of them.
        tables: ``[K, H, S, S]``, every kernel.
        kernels: ``[P, H, S, S]``, the kernel of each place; no gradient flows through this copy.
        senders: int64 ``[F, R*B*C]``, which of the R*B*W memories of the round before sends.
        alike: int64 ``[P]``, the places ordered by kernel.
        uses: how many of ``alike`` use each of the K kernels.
    """

    shape: tuple[int, int, int, int]
    writers: slice
    tables: Tensor
    kernels: Tensor
    senders: Tensor
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
    directions = slice(2 if bool((sources[1] >= 0).any()) else 1)
    kernels, sources, symbols = kernels[directions], sources[directions], symbols[directions]
    num_directions, size, num_forms, num_frames = sources.shape
    row, form = sources // num_frames // num_forms, sources // num_frames % num_forms
    # Where the forms that show values can be seen, the others are not looked at.
    writers = slice(int(num_forms > 1 and not bool(((form == 0) & (sources >= 0)).any())), num_forms)
    num_writers = num_forms - writers.start
    direction = torch.arange(num_directions, device=sources.device)[:, None, None, None]
    sender = (direction * size + row) * num_writers + form - writers.start
    nothing = kernels.shape[1] - 1
    kernel = symbols.masked_fill(sources < 0, nothing) + direction * (nothing + 1)
    sender, kernel = (in_rounds(tensor).flatten(1) for tensor in (sender.masked_fill(sources < 0, 0), kernel))
    tables = kernels.flatten(0, 1)
    return Links(
        shape=(num_directions, size, num_forms, num_frames),
        writers=writers,
        tables=tables,
        kernels=tables.detach().index_select(0, kernel.flatten()),
        senders=sender,
        alike=kernel.flatten().argsort(),
        uses=kernel.flatten().bincount(minlength=len(tables)).tolist(),
    )


def in_rounds(tensor: Tensor) -> Tensor:
    """``[R, B, C, F, ...] -> [F, R, B, C, ...]``, a copy: the past's frames in their order, the future's backwards."""
    ordered = tensor.new_empty(tensor.shape[3], *tensor.shape[:3], *tensor.shape[4:])
    ordered[:, 0] = tensor[0].movedim(2, 0)
    if len(tensor) > 1:
        ordered[:, 1] = tensor[1].movedim(2, 0).flip(0)
    return ordered


def out_of_rounds(ordered: Tensor) -> Tensor:
    """The inverse of `in_rounds`, a copy."""
    tensor = ordered.new_empty(*ordered.shape[1:4], ordered.shape[0], *ordered.shape[4:])
    tensor[0] = ordered[:, 0].movedim(0, 2)
    if len(tensor) > 1:
        tensor[1] = ordered[:, 1].flip(0).movedim(0, 2)
    return tensor


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
        own, values, gates = self.values_and_gates(cells, absent, links.shape, links.writers)
        return self.merged(own, receive(links, values, gates))

    def values_and_gates(
        self, cells: Tensor, absent: Tensor | None, shape: tuple[int, int, int, int], writers: slice
    ) -> tuple[Tensor, Tensor, Tensor]:
        """What is carried.

        Args:
            cells, absent: as of `forward`.
            shape: R, B, C and F.
            writers: which of the C forms write.

        Returns:
            Values for the frame itself, ``[N, S, H, d]``, and for the memories, ``[R, Nw, H, S, d]``, and the gates of these,
            ``[R, Nw, H, S, 1]``, between 0 (keep what arrived) and 1 (overwrite it).
        """
        num_directions, size, num_forms, num_frames = shape
        width, num_gates = cells.shape[-1], num_directions * self.num_heads
        carried = slice(width, (1 + num_directions) * width)

        def project(layer: nn.Linear, cells: Tensor, rows: slice) -> Tensor:
            return functional.linear(cells, layer.weight[rows], layer.bias[rows])

        if writers.start:  # the other forms need values for themselves alone
            own = _without(absent, project(self.values, cells, slice(width)))
            cells = cells.view(size, num_forms, num_frames, *cells.shape[1:])[:, writers].flatten(0, 2)
            absent = None if absent is None else absent.view(size, num_forms, num_frames, -1)[:, writers].flatten(0, 2)
            values = _without(absent, project(self.values, cells, carried))
        else:
            both = _without(absent, project(self.values, cells, slice(carried.stop)))
            own, values = both.tensor_split([width], dim=-1)
        gates = _without(absent, project(self.gates, cells, slice(num_gates)).sigmoid())
        values, gates = (
            tensor.unflatten(-1, (num_directions, self.num_heads, -1)).permute(2, 0, 3, 1, 4) for tensor in (values, gates)
        )
        return own.unflatten(-1, (self.num_heads, -1)), values, gates

    def merged(self, own: Tensor, arrived: Tensor) -> Tensor:
        """``[N, S, D]`` from the frame's own values ``[N, S, H, d]``, which pass through a kernel of the layer's own, and
        what arrived from the past and perhaps from the future, ``[R, N, H, S, d]``."""
        # Head-major, so that all frames share one matrix product per head.
        kept = self.own_tables.softmax(dim=-1) @ own.permute(2, 1, 0, 3).flatten(2)
        parts = [kept.unflatten(2, (len(own), -1)).permute(2, 1, 0, 3), *(part.transpose(1, 2) for part in arrived)]
        together = torch.cat(parts, dim=2).flatten(2)
        return functional.linear(together, self.merge.weight[:, : together.shape[-1]], self.merge.bias)


def _without(absent: Tensor | None, found: Tensor) -> Tensor:
    """``[N, S, any]`` with zeros where a cell is absent (bool ``[N, S]``; None: nowhere)."""
    return found if absent is None else found.masked_fill(absent[..., None], 0.0)


@torch.compiler.disable
def receive(links: Links, values: Tensor, gates: Tensor) -> Tensor:
    """What arrives at each frame from its neighbours' memories: ``[R, N, H, S, d]``.

    Args:
        links: of the batch.
        values: ``[R, Nw, H, S, d]``.
        gates: ``[R, Nw, H, S, 1]``.
    """
    return cast(Tensor, _Receive.apply(links.tables, values, gates, links))


class _Receive(torch.autograd.Function):
    """`receive` with its gradient written out: in each round one product for both memories, and the gradient of a kernel
    in one product over all places that use it."""

    @staticmethod
    def forward(context: Any, tables: Tensor, values: Tensor, gates: Tensor, links: Links) -> Tensor:
        num_directions, size, num_forms, num_frames = links.shape
        own, overwrite = (in_rounds(tensor.unflatten(1, (size, -1, num_frames))) for tensor in (values, gates))
        kernels = links.kernels.to(own.dtype).unflatten(0, (num_frames, -1))
        of_all = (num_frames, num_directions, size, num_forms, *own.shape[4:])
        sent, arrived = own.new_empty(of_all), own.new_empty(of_all)
        memory = torch.zeros_like(own[0])
        for sender, kernel, value, gate, before, after in zip(links.senders, kernels, own, overwrite, sent, arrived):
            torch.index_select(memory.flatten(0, 2), 0, sender, out=before.flatten(0, 2))
            torch.bmm(kernel.flatten(0, 1), before.flatten(0, 3), out=after.flatten(0, 3))
            torch.lerp(after[:, :, links.writers], value, gate, out=memory)
        context.links = links
        context.save_for_backward(kernels, own, overwrite, sent, arrived)
        return out_of_rounds(arrived).flatten(1, 3)

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        links = context.links
        kernels, own, overwrite, sent, arrived = context.saved_tensors
        size, num_forms, num_frames = links.shape[1:]
        to_arrived = in_rounds(gradient.unflatten(1, (size, num_forms, num_frames)))
        to_memory, keep = torch.zeros_like(own), 1 - overwrite
        for number in reversed(range(num_frames)):
            to_arrived[number, :, :, links.writers].addcmul_(to_memory[number], keep[number])
            if number:  # the first round receives nothing
                to_sent = kernels[number].flatten(0, 1).transpose(1, 2) @ to_arrived[number].flatten(0, 3)
                before = to_memory[number - 1].flatten(0, 2)
                before.index_add_(0, links.senders[number], to_sent.view(len(links.senders[number]), *before.shape[1:]))
        to_values = to_memory * overwrite
        to_gates = (to_memory * (own - arrived[:, :, :, links.writers])).sum(dim=-1, keepdim=True)
        to_values, to_gates = (out_of_rounds(tensor).flatten(1, 3) for tensor in (to_values, to_gates))
        return _to_tables(links, to_arrived.flatten(0, 3), sent.flatten(0, 3)), to_values, to_gates, None


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
