"""What happened between two frames, where that may not be seen: views before and after an action mostly give it away.

A hidden action's kernel is a mixture of those of all actions, weighed by what the frames' registers say of them, so that
memories move through it as if it were known.

Legend: G hidden transitions, A transition symbols ("unknown" is the last), H heads, S cells, D width.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from anyorder.models.compiling import uncompiled
from anyorder.models.grid.memory import Links

CERTAINLY_NOT = -30.0
"""A logit so low that nothing of its symbol is left."""


class Guess(nn.Module):
    """From the registers of two neighbouring frames to the transition between them.

    Args:
        num_symbols: A.
        width: D.
    """

    def __init__(self, num_symbols: int, width: int) -> None:
        super().__init__()
        self.compare = nn.Linear(2 * width, width)
        self.weigh = nn.Linear(width, num_symbols)

    def forward(self, earlier: Tensor, later: Tensor) -> Tensor:
        """``[G, A]``, with a sum of 1: how much each transition takes part.

        Args:
            earlier, later: ``[G, D]``, registers of the frames before and after.
        """
        compared = nn.functional.gelu(self.compare(torch.cat([earlier, later], dim=-1)))
        return self.weigh(compared).softmax(dim=-1)

    @torch.no_grad()
    def guess_nothing(self) -> None:
        """Leave "unknown" its own kernel, whatever is seen."""
        nn.init.zeros_(self.weigh.weight)
        nn.init.constant_(self.weigh.bias, CERTAINLY_NOT)
        self.weigh.bias[-1] = 0.0


@uncompiled  # another number of hidden transitions in every batch
def guessed(guess: Guess, registers: Tensor, kernels: Tensor, links: Links) -> Links:
    """The links of a batch whose hidden transitions are guessed from the registers ``[N, D]`` of its frames; ``kernels`` is
    ``[2, A + 1, H, S, S]``."""
    chains = links.past, links.future
    if not any(len(one.hidden) for one in chains):  # a gradient of zero: other processes may have one and wait for it
        return replace(links, past_tables=links.past_tables + sum(parameter.sum() for parameter in guess.parameters()) * 0.0)
    ways = [guess(registers[one.earlier], registers[one.later]) for one in chains]
    return links.guessed(*(mixed(weights, of_direction) for weights, of_direction in zip(ways, kernels)))


def mixed(weights: Tensor, kernels: Tensor) -> Tensor:
    """``[G, H, S, S]``: the kernel of each hidden transition.

    Args:
        weights: ``[G, A]``, of `Guess`.
        kernels: ``[A + 1, H, S, S]``; the last is of no transition.
    """
    every = kernels[: weights.shape[1]]
    return (weights.to(every.dtype) @ every.flatten(1)).unflatten(1, every.shape[1:])
