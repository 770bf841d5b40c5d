"""Chains of memories: what each frame receives from its neighbours, computed for all frames of a batch.

Every frame keeps a memory of what is to be carried on: what arrived from its neighbour, overwritten by its own values
as far as a gate says (a linear recurrence, as in Feng et al. 2024, minGRU, but with a kernel in the place of the
identity). One memory comes from the past, one from the future, so a value is remembered over any number of frames.

The memory of one copy of a trajectory in one direction is a *chain*. All chains of a direction are computed side by side, frame
after frame. Copies that receive nothing from the future, as when everything is ranked by time, have no chain there, and copies
that send to nobody write no memory.

Legend: M copies of trajectories (one per form), F frames, N = M*F frames, X chains of a direction, W of them that write,
G hidden transitions, S cells, H heads, d features of a head, A transition symbols ("unknown" is the last).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from anyorder.models.compiling import uncompiled
from anyorder.models.grid.precision import lowered


@dataclass(frozen=True, eq=False)
class Chains:
    """From which frames the memories of one direction receive, and through which kernels.

    Attributes:
        step: from a frame to the one that it receives from: -1 in chains of the past, 1 in those of the future.
        copies: those that have a chain.
        writers: those of them that write a memory.
        kernel: int64 ``[F, X]``, which of the A + 1 + G tables each frame receives through.
        num_shared: A + 1, the tables that several frames may use; each of the G has one of its own.
        senders: int64 ``[F, X]``, which of the W memories each frame receives; None if chains receive from themselves.
        alike: int64, the numbers, below F*X, of the frames that receive through a shared table, ordered by table.
        uses: for each shared table that is used, its number and how many of ``alike`` use it.
        hidden: int64 ``[G]``, the numbers, below F*X, of the frames that receive through a hidden transition.
        earlier, later: int64 ``[G]``, the numbers, below N, of the frames before and after it.
        tables: ``[A + 1 + G, H, S, S]``; no gradient flows through them.
    """

    step: int
    copies: slice
    writers: slice
    kernel: Tensor
    num_shared: int
    senders: Tensor | None
    alike: Tensor
    uses: list[tuple[int, int]]
    hidden: Tensor
    earlier: Tensor
    later: Tensor
    tables: Tensor

    @cached_property  # large, and chains whose hidden transitions are still to be guessed never need theirs
    def kernels(self) -> Tensor:
        """``[F, X, H, S, S]``, the kernel through which each frame receives."""
        return lowered(self.tables).index_select(0, self.kernel.flatten()).unflatten(0, self.kernel.shape)

    @property
    def writing(self) -> slice:
        """The writers among the chains."""
        return slice(self.writers.start - self.copies.start, self.writers.stop - self.copies.start)

    @property
    def num_writers(self) -> int:
        """W."""
        return self.writers.stop - self.writers.start

    def order(self) -> list[int]:
        """The frames, senders first."""
        frames = list(range(len(self.kernel)))
        return frames if self.step < 0 else frames[::-1]

    def through(self, tables: Tensor) -> Chains:
        """The same chains through these tables, ``[A + 1 + G, H, S, S]``."""
        return replace(self, tables=tables.detach())


@dataclass(frozen=True, eq=False)
class Links:
    """The memories of a batch.

    Attributes:
        num_frames: F.
        past_tables, future_tables: ``[A + 1 + G, H, S, S]``, every kernel of a direction.
        past: chains, of all M copies but the echoes.
        future: chains.
        num_echoes: so many of the first copies have no chain of the past, since they receive what as many of the last ones do:
            as in a world model, where a hidden frame and its true values follow on the same past.
    """

    num_frames: int
    past_tables: Tensor
    future_tables: Tensor
    past: Chains
    future: Chains
    num_echoes: int

    def guessed(self, past: Tensor, future: Tensor) -> Links:
        """The same links through these kernels of the hidden transitions, ``[G, H, S, S]`` for each direction."""
        shared = self.past.num_shared
        past_tables = torch.cat([self.past_tables[:shared], past])
        future_tables = torch.cat([self.future_tables[:shared], future])
        chains = self.past.through(past_tables), self.future.through(future_tables)
        return Links(self.num_frames, past_tables, future_tables, *chains, self.num_echoes)


@uncompiled  # as many rounds as there are frames, another number in every batch
def link(kernels: Tensor, sources: Tensor, symbols: Tensor, num_silent: int) -> Links:
    """The links of a batch. Hidden transitions have the kernel of the symbol "unknown", until they are `Links.guessed`.

    Args:
        kernels: ``[2, A + 1, H, S, S]``; the last of the A + 1 is zero.
        sources: int64 ``[2, M, F]``, the numbers, below N, of the frame before and of the frame after from which each
            frame receives; negative where it receives from none.
        symbols: int64 ``[2, M, F]``, of the transitions to these two frames.
        num_silent: so many of the first copies write no memory, if indeed nobody receives from them.
    """
    num_copies, num_frames = sources.shape[1:]
    senders = sources.div(num_frames, rounding_mode="floor")
    silent = 0 if bool(((senders >= 0) & (senders < num_silent)).any()) else num_silent
    nothing = kernels.shape[1] - 1
    symbols = symbols.masked_fill(sources < 0, nothing)
    alike = all(torch.equal(of[0, :silent], of[0, num_copies - silent :]) for of in (senders, symbols))
    # The frames of two copies do not guess alike.
    echoes = silent if alike and not bool((symbols[0, :silent] == nothing - 1).any()) else 0
    some = _with_a_future(senders[1])
    of_past, of_future = (slice(echoes, num_copies), slice(silent, num_copies)), (some, some)
    past = _chains(-1, *of_past, len(kernels[0]), sources[0], symbols[0])
    future = _chains(1, *of_future, len(kernels[1]), sources[1], symbols[1])
    unknown = (own[nothing - 1 : nothing].expand(len(one.hidden), -1, -1, -1) for own, one in zip(kernels, (past, future)))
    return Links(num_frames, kernels[0], kernels[1], past, future, num_echoes=echoes).guessed(*unknown)


def _chains(step: int, copies: slice, writers: slice, num_shared: int, sources: Tensor, symbols: Tensor) -> Chains:
    """The chains of one direction, without their tables; ``sources`` and ``symbols`` are int64 ``[M, F]``."""
    num_frames, unknown = sources.shape[1], num_shared - 2
    frames = torch.arange(sources.numel(), device=sources.device).view_as(sources)
    own, sources, kernel = frames[copies].t(), sources[copies].t(), symbols[copies].t().flatten()
    senders = sources.div(num_frames, rounding_mode="floor")
    hidden, receiving = (kernel == unknown).nonzero()[:, 0], (kernel < unknown).nonzero()[:, 0]
    used = kernel[receiving]
    kernel[hidden] = num_shared + torch.arange(len(hidden), device=kernel.device)
    from_themselves = copies == writers and bool(((senders == own // num_frames) | (senders < 0)).all())
    ends = own.flatten()[hidden], sources.flatten()[hidden]
    return Chains(
        step,
        copies,
        writers,
        kernel.view(senders.shape),
        num_shared,
        None if from_themselves else (senders - writers.start).clamp(min=0),
        alike=receiving[used.argsort()],
        uses=[(number, uses) for number, uses in enumerate(used.bincount().tolist()) if uses],
        hidden=hidden,
        earlier=ends[step < 0],
        later=ends[step > 0],
        tables=symbols.new_empty(0),
    )


def _with_a_future(senders: Tensor) -> slice:
    """All copies that receive from the future or send there, and those between them; ``senders``, int64 ``[M, F]``, is
    negative for none."""
    receive = (senders >= 0).any(dim=1).nonzero()
    if not len(receive):
        return slice(0, 0)
    first = min(int(receive[0]), int(senders[senders >= 0].min()))
    return slice(first, 1 + max(int(receive[-1]), int(senders.max())))


def recall(chains: Chains, given: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """What arrives at the frames of the chains, ``[F, X, H, d, S]``, and what each frame sends, of the same shape.

    Args:
        chains: of one direction.
        given: values, ``[F, W, H, d, S]``, and the logits of gates, ``[F, W, H, 1, S]``, which become gates between 0 (keep
            what arrived) and 1 (overwrite it) in place.
    """
    values, gates = given[0], given[1].sigmoid_()
    shape = (*chains.kernels.shape[:3], *values.shape[3:])
    memory, arrived, turned = values.new_empty(values.shape), values.new_empty(shape), chains.kernels.mT
    sent = memory if chains.senders is None else torch.empty_like(arrived)
    written, before = arrived[:, chains.writing], -1
    for frame in chains.order():
        if before < 0:
            arrived[frame] = 0
        else:
            if chains.senders is not None:
                torch.index_select(memory[before], 0, chains.senders[frame], out=sent[before])
            torch.bmm(*_flat(sent[before], turned[frame]), out=arrived[frame].flatten(0, 1))
        torch.lerp(written[frame], values[frame], gates[frame], out=memory[frame])
        before = frame
    return arrived, sent


def recall_backward(
    chains: Chains, given: Sequence[Tensor], found: Sequence[Tensor], to_arrived: Tensor
) -> tuple[list[Tensor], Tensor]:
    """The gradients of what was given to `recall`, and of the tables, ``[A + 1 + G, H, S, S]``.

    Args:
        chains: of one direction.
        given: values and gates.
        found: what `recall` found.
        to_arrived: the gradient of what arrives; it is overwritten.
    """
    (values, gates), (arrived, sent) = given, found
    to_memory, keep = torch.zeros_like(values), 1 - gates
    written = to_arrived[:, chains.writing]
    order = chains.order()
    for frame, before in zip(order[::-1], [*order[-2::-1], None]):
        written[frame].addcmul_(to_memory[frame], keep[frame])
        if before is not None and chains.senders is None:
            torch.bmm(*_flat(to_arrived[frame], chains.kernels[frame]), out=to_memory[before].flatten(0, 1))
        elif before is not None and chains.senders is not None:
            to_sent = torch.bmm(*_flat(to_arrived[frame], chains.kernels[frame])).view_as(to_arrived[frame])
            to_memory[before].index_add_(0, chains.senders[frame], to_sent)
    to_gates = (to_memory * (values - arrived[:, chains.writing])).sum(dim=3, keepdim=True) * gates * keep
    return [to_memory * gates, to_gates], _to_tables(chains, to_arrived, sent)


def _flat(*tensors: Tensor) -> Iterable[Tensor]:
    return (tensor.flatten(0, 1) for tensor in tensors)


def _to_tables(chains: Chains, to_arrived: Tensor, sent: Tensor) -> Tensor:
    """The gradient ``[A + 1 + G, H, S, S]`` of the tables, from that of what arrived and what had been sent."""
    num_chains, width, shared = to_arrived.shape[1], to_arrived.shape[3], chains.num_shared
    after = _by_head(to_arrived, chains.alike)
    before = _by_head(sent, chains.alike + chains.step * num_chains)
    gradient, first = sent.new_zeros(shared + len(chains.hidden), *chains.kernels.shape[2:]), 0
    for number, uses in chains.uses:
        of_kernel = slice(first * width, (first + uses) * width)
        gradient[number] = torch.bmm(after[:, of_kernel].mT, before[:, of_kernel])
        first += uses
    if len(chains.hidden):
        there = sent.flatten(0, 1).index_select(0, chains.hidden + chains.step * num_chains)
        torch.matmul(to_arrived.flatten(0, 1).index_select(0, chains.hidden).mT, there, out=gradient[shared:])
    return gradient


def _by_head(frames: Tensor, which: Tensor) -> Tensor:
    """``[F, X, H, d, S] -> [H, n * d, S]``, a copy of n of the F*X."""
    return frames.flatten(0, 1).index_select(0, which).transpose(0, 1).flatten(1, 2)
