"""What happened between two frames, where that may not be seen: views before and after an action mostly give it away.

A hidden action's kernel is a mixture of those of all actions, weighed by how well each turns one view into the other and by
what the frames' registers say, so that memories move through it as if it were known.

Legend: G hidden transitions, A transition symbols ("unknown" is the last), H heads, S cells, D width.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from anyorder.models.compiling import uncompiled
from anyorder.models.grid.memory import Links

Ends = tuple[Tensor, Tensor]
"""Of the frames before and after a transition."""
CERTAINLY_NOT = -30.0
"""A logit so low that nothing of its symbol is left."""


class Guesser(nn.Module):
    """From two neighbouring frames to the transition between them. What the earlier view becomes through a transition's kernel
    is compared with the later view, and the registers say what else speaks for it.

    Args:
        num_symbols: A.
        width: D, divisible by ``num_heads``.
        num_heads: H.
    """

    def __init__(self, num_symbols: int, width: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.appearance = nn.Linear(width, width)
        self.compare = nn.Linear(2 * width, width)
        self.weigh = nn.Linear(width, num_symbols)

    def forward(self, registers: Ends, cells: Ends, kernels: Tensor) -> Tensor:
        """``[G, A]``, with a sum of 1: how much each transition takes part.

        Args:
            registers: ``[G, D]``, of the frames before and after.
            cells: ``[G, S, D]``, of these frames.
            kernels: ``[A + 1, H, S, S]``, by which the later one receives from the earlier one; the last is of no transition.
        """
        compared = nn.functional.gelu(self.compare(torch.cat(registers, dim=-1)))
        before, after = (self.appearance(of_frames).unflatten(-1, (self.num_heads, -1)) for of_frames in cells)
        alike = torch.einsum("gihd,gjhd->ghij", after, before) * self.appearance.out_features**-0.5
        agreement = alike.flatten(1) @ kernels[: self.weigh.out_features].flatten(1).t().to(alike.dtype)
        return (self.weigh(compared) + agreement).softmax(dim=-1)

    @torch.no_grad()
    def guess_nothing(self) -> None:
        """Leave "unknown" its own kernel, whatever is seen."""
        for unused in (self.weigh.weight, self.appearance.weight, self.appearance.bias):
            nn.init.zeros_(unused)
        nn.init.constant_(self.weigh.bias, CERTAINLY_NOT)
        self.weigh.bias[-1] = 0.0


@uncompiled  # another number of hidden transitions in every batch
def guessed(guess: Guesser, registers: Tensor, cells: Tensor, kernels: Tensor, links: Links) -> Links:
    """The links of a batch, with hidden transitions guessed from registers ``[N, D]`` and cells ``[N, S, D]`` of its frames;
    ``kernels`` is ``[2, A + 1, H, S, S]``."""
    chains = links.past, links.future
    if not any(len(one.hidden) for one in chains):  # a gradient of zero: other processes may have one and wait for it
        return replace(links, past_tables=links.past_tables + sum(parameter.sum() for parameter in guess.parameters()) * 0.0)
    ends = [(one.earlier, one.later) for one in chains]
    # Where everything looks both ways, both directions pass through the same transitions, in the same order.
    alike = all(torch.equal(*pair) for pair in zip(*ends))
    ways = [guess(*((of[earlier], of[later]) for of in (registers, cells)), kernels[0]) for earlier, later in ends[: 2 - alike]]
    return links.guessed(mixed(ways[0], kernels[0]), mixed(ways[-1], kernels[1]))


def mixed(weights: Tensor, kernels: Tensor) -> Tensor:
    """``[G, H, S, S]``: the kernel of each hidden transition.

    Args:
        weights: ``[G, A]``, of `Guesser`.
        kernels: ``[A + 1, H, S, S]``; the last is of no transition.
    """
    every = kernels[: weights.shape[1]]
    return (weights.to(every.dtype) @ every.flatten(1)).unflatten(1, every.shape[1:])
