"""What cells receive from their own frame and from its neighbours' memories: one round of `transport`, with its gradient
written out.

A frame gives values to itself, and values and gates to the memories that it writes. Kernels' products are quickest where cells
are last (``[n, features, S]``), so that is how tensors stand between the first product, which turns them round, and the
last one, which turns them back. Most of the time goes into moving tensors, so every product takes all that it can, and autograd
slices none of them, since it would fill a whole tensor with zeros for each slice's gradient.

Legend: as of `memory`; D = H*d, G = 3*D + 2*H, all that a frame can give, and n frames of a group.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from anyorder.models.compiling import uncompiled
from anyorder.models.grid.memory import Links, recall, recall_backward


@uncompiled
def exchange(
    cells: Tensor,
    absent: Tensor | None,
    give: tuple[Tensor, Tensor],
    own_kernel: Tensor,
    merge: tuple[Tensor, Tensor],
    links: Links,
) -> Tensor:
    """What arrives at every cell, ``[N, S, D]``.

    Args:
        cells: ``[N, S, D]``.
        absent: bool ``[N, S]``, True where a cell gives nothing; None if all are present.
        give: weight ``[G, D]`` and bias ``[G]`` of the future's gates, the future's values, the frame's own values, the past's
            values and the past's gates.
        own_kernel: ``[H, S, S]``.
        merge: weight ``[D, 3*D]`` and bias ``[D]`` of what arrives from the frame itself, the past and the future.
        links: of the batch.
    """
    tables = links.past_tables, links.future_tables
    return cast(Tensor, _Exchange.apply(cells, *give, own_kernel, *merge, *tables, absent, links))


class _Exchange(torch.autograd.Function):
    @staticmethod
    def forward(
        context: Any,
        cells: Tensor,
        weight: Tensor,
        bias: Tensor,
        own_kernel: Tensor,
        merge: Tensor,
        merge_bias: Tensor,
        past_tables: Tensor,
        future_tables: Tensor,
        absent: Tensor | None,
        links: Links,
    ) -> Tensor:
        heads, size = len(own_kernel), cells.shape[2] // len(own_kernel)
        groups = _groups(links, cells.shape[2], heads)
        own = cells.new_empty(heads, len(cells), size, cells.shape[1])
        past, future = (
            [cells.new_empty(links.num_frames, chains.num_writers, heads, width, cells.shape[1]) for width in (size, 1)]
            for chains in (links.past, links.future)
        )
        for group in groups:
            given = torch.baddbmm(bias[group.rows, None], group.each(weight[group.rows]), cells[group.frames].mT)
            if absent is not None:
                group.give_nothing(given, absent[group.frames, None])
            for place, part in zip(group.places(own, past, future), group.given(given)):
                place.copy_(part)
        kept = torch.bmm(own.flatten(1, 2), own_kernel.mT).view_as(own)
        from_past, from_future = (recall(chains, given) for chains, given in ((links.past, past), (links.future, future)))
        found, together = torch.empty_like(cells), []
        for group in groups:
            together.append(cells.new_empty(group.num_frames, group.num_received, cells.shape[1]))
            for place, part in zip(group.sources(kept, from_past[0], from_future[0]), group.received(together[-1])):
                part.copy_(place)
            each = group.each(merge[:, : group.num_received].t())
            torch.baddbmm(merge_bias, together[-1].mT, each, out=found[group.frames])
        context.links, context.absent, context.groups = links, absent, groups
        context.save_for_backward(cells, weight, own_kernel, merge, own, *past, *future, *from_past, *from_future, *together)
        return found

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        links, absent, groups = context.links, context.absent, context.groups
        cells, weight, own_kernel, merge, own, *others = context.saved_tensors
        past, future, from_past, from_future, together = others[:2], others[2:4], others[4:6], others[6:8], others[8:]
        turned = gradient.contiguous().mT
        to_kept, to_merge = torch.empty_like(own), torch.zeros_like(merge)
        to_past, to_future = torch.empty_like(from_past[0]), torch.empty_like(from_future[0])
        for group, received in reversed(list(zip(groups, together))):  # echoes come last
            to_merge[:, : group.num_received] += torch.bmm(turned[group.frames], received.mT).sum(dim=0)
            to_received = torch.bmm(group.each(merge[:, : group.num_received].t()), turned[group.frames])
            group.give_back(to_received, to_kept, to_past, to_future)
        by_row = to_kept.flatten(1, 2)
        to_own, to_kernel = torch.bmm(by_row, own_kernel).view_as(own), torch.bmm(by_row.mT, own.flatten(1, 2))
        to_given_past, to_past_tables = recall_backward(links.past, past, from_past, to_past)
        to_given_future, to_future_tables = recall_backward(links.future, future, from_future, to_future)
        to_cells, to_weight, to_bias = torch.empty_like(cells), torch.zeros_like(weight), torch.zeros_like(weight[:, 0])
        for group in groups:
            to_given = cells.new_empty(group.num_frames, group.num_given, cells.shape[1])
            for place, part in zip(group.places(to_own, to_given_past, to_given_future), group.given(to_given)):
                part.copy_(place)
            if absent is not None:
                to_given.masked_fill_(absent[group.frames, None], 0.0)
            torch.bmm(to_given.mT, group.each(weight[group.rows]), out=to_cells[group.frames])
            to_weight[group.rows] += torch.bmm(to_given, cells[group.frames]).sum(dim=0)
            to_bias[group.rows] += to_given.sum(dim=(0, 2))
        to_merge_bias = gradient.sum(dim=(0, 1))
        to_tables = to_past_tables, to_future_tables
        return to_cells, to_weight, to_bias, to_kernel, to_merge, to_merge_bias, *to_tables, None, None


@dataclass(frozen=True)
class _Group:
    """Successive copies that give to and receive from the same chains.

    Attributes:
        copies: of all M.
        writes: whether they write a memory of the past.
        links: of the batch.
        size, heads: D and H.
    """

    copies: slice
    writes: bool
    links: Links
    size: int
    heads: int

    @property
    def future(self) -> bool:
        """Whether they have chains of the future."""
        return self.links.future.copies.start <= self.copies.start < self.links.future.copies.stop

    @property
    def frames(self) -> slice:
        """Of all N."""
        return slice(self.copies.start * self.links.num_frames, self.copies.stop * self.links.num_frames)

    @property
    def num_frames(self) -> int:
        """n."""
        return self.frames.stop - self.frames.start

    @property
    def rows(self) -> slice:
        """What they give, of all G."""
        before, after = self.size + self.heads, 2 * self.size + self.heads
        return slice(0 if self.future else before, after + before if self.writes else after)

    @property
    def num_given(self) -> int:
        return self.rows.stop - self.rows.start

    @property
    def num_received(self) -> int:
        return (2 + self.future) * self.size

    def each(self, weight: Tensor) -> Tensor:
        """``[n, ...]``, the same for each frame."""
        return weight.expand(self.num_frames, -1, -1)

    def given(self, given: Tensor) -> Iterator[Tensor]:
        """The parts of what they give, ``[n, num_given, S]``: their own values, then values and gates of the past, then of the
        future, as far as they give them, each ``[copies, F, H, d or 1, S]``."""
        own = self.heads + self.size - self.rows.start
        yield self._by_copy(given[:, own : own + self.size])
        if self.writes:
            yield self._by_copy(given[:, own + self.size : own + 2 * self.size])
            yield self._by_copy(given[:, own + 2 * self.size :])
        if self.future:
            yield self._by_copy(given[:, self.heads : own])
            yield self._by_copy(given[:, : self.heads])

    def places(self, own: Tensor, past: Sequence[Tensor], future: Sequence[Tensor]) -> Iterator[Tensor]:
        """Where these parts stand in frames' own values, ``[H, N, d, S]``, and in values and gates of chains,
        ``[F, W, H, d or 1, S]``."""
        yield self._own(own)
        if self.writes:
            yield from (self._of_chains(tensor, self.links.past.writers) for tensor in past)
        if self.future:
            yield from (self._of_chains(tensor, self.links.future.writers) for tensor in future)

    def received(self, received: Tensor) -> Iterator[Tensor]:
        """The parts of what arrives, ``[n, num_received, S]``: from themselves, from the past and perhaps from the future."""
        return map(self._by_copy, received.split(self.size, dim=1))

    def sources(self, kept: Tensor, past: Tensor, future: Tensor) -> Iterator[Tensor]:
        """Where these parts come from, as in `places`."""
        yield self._own(kept)
        yield self._of_chains(past, self.links.past.copies, self._echoed)
        if self.future:
            yield self._of_chains(future, self.links.future.copies)

    def give_back(self, to_received: Tensor, to_kept: Tensor, to_past: Tensor, to_future: Tensor) -> None:
        """Hand the gradient of what arrived on to where it came from; echoes add theirs to that of the chains they echo."""
        own, past, *future = zip(self.sources(to_kept, to_past, to_future), self.received(to_received))
        for place, part in (own, *future):
            place.copy_(part)
        place, part = past
        place.add_(part) if self._echoed else place.copy_(part)

    def give_nothing(self, given: Tensor, absent: Tensor) -> None:
        """Where cells are absent (bool ``[n, 1, S]``): values are zero, and logits of gates keep what arrived."""
        given.masked_fill_(absent, 0.0)
        if self.writes:
            given[:, -self.heads :].masked_fill_(absent, -torch.inf)
        if self.future:
            given[:, : self.heads].masked_fill_(absent, -torch.inf)

    def _by_copy(self, part: Tensor) -> Tensor:
        return part.unflatten(1, (self.heads, -1)).unflatten(0, (-1, self.links.num_frames))

    def _own(self, own: Tensor) -> Tensor:
        return own[:, self.frames].transpose(0, 1).unflatten(0, (-1, self.links.num_frames))

    @property
    def _echoed(self) -> int:
        """How many copies further the copy stands whose chain of the past each of these echoes; 0 for those with their own."""
        chains = self.links.past.copies
        return chains.stop - self.links.num_echoes if self.copies.start < chains.start else 0

    def _of_chains(self, of_chains: Tensor, copies: slice, further: int = 0) -> Tensor:
        first = further - copies.start
        return of_chains[:, self.copies.start + first : self.copies.stop + first].transpose(0, 1)


def _groups(links: Links, size: int, heads: int) -> list[_Group]:
    silent, future = links.past.writers.start, links.future.copies
    bounds = sorted({0, silent, future.start, future.stop, links.past.copies.stop})
    return [_Group(slice(start, stop), start >= silent, links, size, heads) for start, stop in pairwise(bounds)]
