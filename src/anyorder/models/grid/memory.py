"""Chains of memories: what each frame receives from its neighbours, computed for all frames of a batch.

Every frame keeps a memory of what is to be carried on: what arrived from its neighbour, overwritten by its own values
as far as a gate says (a linear recurrence, as in Feng et al. 2024, minGRU, but with a kernel in the place of the
identity). One memory comes from the past, one from the future, so a value is remembered over any number of frames.

The memory of one copy of a trajectory in one direction is a *chain*. All chains are computed side by side, in so-called rounds:
in round t a chain of the past is at frame t and one of the future at frame F - 1 - t. Copies that receive nothing from the
future, as when everything is ranked by time, have no chain there, and copies that send to nobody write no memory.

Legend: M copies of trajectories (one per form), Z of them with a future, F frames, N = M*F frames, X = M + Z chains, W of them
(the last ones) that write, P = F*X places, round after round, S cells, H heads, d features of a head, A transition symbols,
K = 2*(A + 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from anyorder.models.compiling import uncompiled
from anyorder.models.grid.precision import lowered


@dataclass(frozen=True, eq=False)
class Links:
    """From which frames the memories receive, and through which kernels.

    Attributes:
        shape: M and F.
        first_writer: the chains from this one on write. Those of the past come first, each with its copy's number, then those
            of the future.
        future: the copies that have a chain of the future.
        tables: ``[K, H, S, S]``, every kernel.
        kernels: ``[P, H, S, S]``, the kernel of each place; no gradient flows through this copy.
        senders: int64 ``[F, X]``, which of the W memories of the round before sends; None if chains receive from themselves.
        alike: int64, the places after the first round, counted from there, that receive something, ordered by kernel.
        uses: for each kernel that is used, its number and how many of ``alike`` use it.
    """

    shape: tuple[int, int]
    first_writer: int
    future: slice
    tables: Tensor
    kernels: Tensor
    senders: Tensor | None
    alike: Tensor
    uses: list[tuple[int, int]]

    @property
    def num_chains(self) -> int:
        """X."""
        return self.shape[0] + self.future.stop - self.future.start

    @property
    def writers(self) -> slice:
        """The copies that write a memory of the past."""
        return slice(self.first_writer, self.shape[0])

    def frames(self, copies: slice) -> slice:
        """The frames of these copies, among all N."""
        return slice(copies.start * self.shape[1], copies.stop * self.shape[1])

    def in_rounds(self, past: Tensor, future: Tensor) -> Tensor:
        """``[F, chains, ...]``, a copy, from what belongs to the frames of some copies: ``[copies * F, ...]``."""
        return _in_rounds(*(tensor.unflatten(0, (-1, self.shape[1])) for tensor in (past, future)))

    def out_of_rounds(self, ordered: Tensor, num_past: int) -> tuple[Tensor, Tensor]:
        """The inverse of `in_rounds`, where the first ``num_past`` chains are of the past."""
        past, future = ordered[:, :num_past].transpose(0, 1), ordered[:, num_past:].flip(0).transpose(0, 1)
        return past.flatten(0, 1), future.flatten(0, 1)


@uncompiled  # as many rounds as there are frames, another number in every batch
def link(kernels: Tensor, sources: Tensor, symbols: Tensor, num_silent: int) -> Links:
    """The links of a batch.

    Args:
        kernels: ``[2, A + 1, H, S, S]``.
        sources: int64 ``[2, M, F]``, the numbers, below N, of the frame before and of the frame after from which each
            frame receives; negative where it receives from none.
        symbols: int64 ``[2, M, F]``, of the transitions to these two frames.
        num_silent: so many of the first copies write no memory, if indeed nobody receives from them.
    """
    num_copies, num_frames = sources.shape[1:]
    copies = sources.div(num_frames, rounding_mode="floor")
    first_writer = 0 if bool(((copies >= 0) & (copies < num_silent)).any()) else num_silent
    future = _future(copies[1])
    nothing = kernels.shape[1] - 1
    kernel = symbols.masked_fill(sources < 0, nothing)
    kernel = _in_rounds(kernel[0], kernel[1, future] + nothing + 1)
    later = kernel[1:].flatten()
    receiving = (later % (nothing + 1) != nothing).nonzero()[:, 0]
    to_future = num_copies - future.start  # from the number of a copy to that of its chain
    chains = _in_rounds(copies[0], copies[1, future].where(copies[1, future] < 0, copies[1, future] + to_future))
    own = torch.arange(chains.shape[1], device=chains.device)
    receive_own = first_writer == 0 and bool(((chains == own) | (chains < 0)).all())
    tables = kernels.flatten(0, 1)
    return Links(
        shape=(num_copies, num_frames),
        first_writer=first_writer,
        future=future,
        tables=tables,
        kernels=lowered(tables.detach()).index_select(0, kernel.flatten()),
        senders=None if receive_own else (chains - first_writer).clamp(min=0),
        alike=receiving[later[receiving].argsort()],
        uses=[(number, uses) for number, uses in enumerate(later[receiving].bincount().tolist()) if uses],
    )


def _in_rounds(past: Tensor, future: Tensor) -> Tensor:
    """``[F, chains, ...]``, a copy: the past (``[copies, F, ...]``) in its order, the future backwards."""
    ordered = past.new_empty(past.shape[1], len(past) + len(future), *past.shape[2:])
    ordered[:, : len(past)] = past.transpose(0, 1)
    if len(future):
        ordered[:, len(past) :] = future.transpose(0, 1).flip(0)
    return ordered


def _future(senders: Tensor) -> slice:
    """All copies that receive from the future or send there, and those between them; ``senders``, int64 ``[M, F]``, is
    negative for none."""
    receive = (senders >= 0).any(dim=1).nonzero()
    if not len(receive):
        return slice(0, 0)
    first = min(int(receive[0]), int(senders[senders >= 0].min()))
    return slice(first, 1 + max(int(receive[-1]), int(senders.max())))


@dataclass(frozen=True, eq=False)
class Carried:
    """What frames give to a memory.

    Attributes:
        values: ``[n, H, S, d]``.
        gates: ``[n, H, S, 1]``, between 0 (keep what arrived) and 1 (overwrite it).
    """

    values: Tensor
    gates: Tensor


@uncompiled
def receive(links: Links, past: Carried, future: Carried) -> tuple[Tensor, Tensor]:
    """What arrives at each frame from its neighbours' memories: from the past, ``[N, H, S, d]``, and from the future,
    ``[Z*F, H, S, d]``.

    Args:
        links: of the batch.
        past: what the frames of `Links.writers` give.
        future: what the frames of `Links.future` give.
    """
    found = _Receive.apply(links.tables, past.values, past.gates, future.values, future.gates, links)
    return cast(tuple[Tensor, Tensor], found)


class _Receive(torch.autograd.Function):
    """`receive` with its gradient written out: in each round one product for all chains, and the gradient of a kernel in one
    product over all places that use it."""

    @staticmethod
    def forward(
        context: Any,
        tables: Tensor,
        past_values: Tensor,
        past_gates: Tensor,
        future_values: Tensor,
        future_gates: Tensor,
        links: Links,
    ) -> tuple[Tensor, Tensor]:
        own = links.in_rounds(past_values, future_values)
        # Written out for every feature: products of equal shapes are much faster, above all in low precision.
        overwrite = links.in_rounds(past_gates.expand_as(past_values), future_gates.expand_as(future_values))
        kernels = links.kernels.to(own.dtype).view(len(own), -1, *links.kernels.shape[2:])
        memory = torch.empty_like(own)
        arrived = own.new_empty(len(own), links.num_chains, *own.shape[2:])
        sent = memory if links.senders is None else torch.empty_like(arrived)
        arrived[0] = 0  # the first round receives nothing
        memory[0] = overwrite[0] * own[0]
        received, written = arrived.flatten(1, 2), arrived[:, links.first_writer :]
        for number in range(1, len(own)):
            before = memory[number - 1]
            if links.senders is not None:
                before = torch.index_select(before, 0, links.senders[number], out=sent[number - 1])
            torch.bmm(kernels[number], before.flatten(0, 1), out=received[number])
            torch.lerp(written[number], own[number], overwrite[number], out=memory[number])
        context.links = links
        context.save_for_backward(kernels, own, overwrite, sent, arrived)
        return links.out_of_rounds(arrived, links.shape[0])

    @staticmethod
    @once_differentiable
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        links = context.links
        kernels, own, overwrite, sent, arrived = context.saved_tensors
        to_arrived = links.in_rounds(*gradients)
        to_memory, keep, turned = torch.zeros_like(own), 1 - overwrite, kernels.transpose(2, 3)
        to_received, written = to_arrived.flatten(1, 2), to_arrived[:, links.first_writer :]
        for number in reversed(range(len(own))):
            written[number].addcmul_(to_memory[number], keep[number])
            if number and links.senders is None:
                torch.bmm(turned[number], to_received[number], out=to_memory[number - 1].flatten(0, 1))
            elif number:
                to_sent = (turned[number] @ to_received[number]).view_as(to_arrived[number])
                to_memory[number - 1].index_add_(0, links.senders[number], to_sent)
        to_gates = (to_memory * (own - arrived[:, links.first_writer :])).sum(dim=-1, keepdim=True)
        num_past = links.shape[0] - links.first_writer
        values, gates = (links.out_of_rounds(tensor, num_past) for tensor in (to_memory * overwrite, to_gates))
        return _to_tables(links, to_arrived[1:], sent[:-1]), values[0], gates[0], values[1], gates[1], None


def _to_tables(links: Links, to_arrived: Tensor, sent: Tensor) -> Tensor:
    """The gradient ``[K, H, S, S]`` of the kernels, from that of what arrived in each round and what had been sent in the round
    before, both ``[F - 1, X, H, S, d]``."""
    heads, size, width = to_arrived.shape[2:]
    place = torch.arange(heads * size, device=to_arrived.device).view(heads, size, 1)
    rows = (links.alike * heads * size + place).flatten()
    after, before = (tensor.flatten(0, 3).index_select(0, rows).view(heads, size, -1) for tensor in (to_arrived, sent))
    gradient, first = torch.zeros_like(links.tables), 0
    for number, uses in links.uses:
        of_kernel = slice(first * width, (first + uses) * width)
        gradient[number] = after[:, :, of_kernel] @ before[:, :, of_kernel].transpose(1, 2)
        first += uses
    return gradient
