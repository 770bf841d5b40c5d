"""Which way the agent faces, as a chain: a known direction and the turns since then, or before it, give away a hidden one.

A direction is the state of a hidden Markov model whose transitions are a table per action, learned as kernels are. What may be
seen of the directions travels from frame to frame by the forward-backward algorithm (Rabiner 1989), along the links by which
memories travel (`memory`), so nobody learns what it may not see.

An action that may not be seen may still be given away by the views around it: its table is a mixture of those of all actions,
weighed by what the frames' registers say.

Legend: M copies of trajectories (one per form), F frames, A actions, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from anyorder.elements.grid import NUM_VALUES, Attribute
from anyorder.models.compiling import uncompiled

WAYS = NUM_VALUES[Attribute.DIRECTION]
CERTAIN = 0.999
"""Of a direction that is seen; below 1, so that no sequence is impossible."""


class Heading(nn.Module):
    """What the other directions of an episode say about each.

    Args:
        num_actions: A; the transition symbols are these, and A for "unknown".
        width: D.
    """

    def __init__(self, num_actions: int, width: int) -> None:
        super().__init__()
        self.tables = nn.Parameter(torch.zeros(num_actions, WAYS, WAYS))
        self.guess = nn.Linear(2 * width, num_actions)

    @uncompiled  # as many rounds as there are frames, another number in every batch
    def forward(self, directions: Tensor, registers: Tensor, sources: Tensor, symbols: Tensor) -> Tensor:
        """Log-probabilities ``[M, F, 4]``, up to a constant, of each direction given the others that the frame may see.

        Args:
            directions: int64 ``[M, F]``, 0..3 where a copy shows it, negative where it does not.
            registers: ``[M, F, D]``.
            sources, symbols: see `anyorder.models.grid.visibility.Visibility`.
        """
        num_copies, there = len(directions), registers.flatten(0, 1)[sources.clamp(min=0)]
        before = self._turns(there[0], registers, symbols[0])
        after = self._turns(registers, there[1], symbols[1]).transpose(2, 3)
        # The chains of the future run backwards beside those of the past.
        turns, seen = torch.stack([before, after.flip(1)]), _seen(directions).to(registers.dtype)
        carried = _carried(torch.stack([seen, seen.flip(1)]), torch.stack([sources[0], sources[1].flip(1)]), turns)
        return (carried[:num_copies] * carried[num_copies:].flip(1)).log()

    def _turns(self, earlier: Tensor, later: Tensor, symbols: Tensor) -> Tensor:
        """``[M, F, 4, 4]``: how probable each later direction is after each earlier one."""
        num_actions = len(self.tables)
        guessed = self.guess(torch.cat([earlier, later], dim=-1)).softmax(dim=-1)
        known = functional.one_hot(symbols, num_actions + 1)[..., :num_actions].to(guessed.dtype)
        actions = torch.where((symbols < num_actions)[..., None], known, guessed)
        return torch.einsum("mfa,aij->mfij", actions, self.tables.softmax(dim=-1))


def _seen(directions: Tensor) -> Tensor:
    """``[M, F, 4]``: how well each direction agrees with what is shown."""
    other = (1 - CERTAIN) / (WAYS - 1)
    shown = torch.full((*directions.shape, WAYS), other, device=directions.device)
    shown.scatter_(2, directions.clamp(min=0)[..., None], CERTAIN)
    return shown.masked_fill_((directions < 0)[..., None], 1 / WAYS)


def _carried(seen: Tensor, sources: Tensor, turns: Tensor) -> Tensor:
    """``[2*M, F, 4]``: what arrives at each frame of the chains of the past, then of the future; uniform where nothing does.

    Args:
        seen: ``[2, M, F, 4]``, of `_seen`, senders first.
        sources: int64 ``[2, M, F]``, the frame that each receives from, below M*F, or negative.
        turns: ``[2, M, F, 4, 4]``, from the direction there to the direction here.
    """
    num_copies, num_frames = sources.shape[1:]
    senders = sources.div(num_frames, rounding_mode="floor").clamp(min=0)
    senders = torch.stack([senders[0], senders[1] + num_copies]).flatten(0, 1)
    receives = (sources >= 0)[..., None].flatten(0, 1)
    turns, seen, arrived = turns.flatten(0, 1), seen.flatten(0, 1), []
    belief = torch.full_like(seen[:, 0], 1 / WAYS)
    for frame in range(num_frames):
        moved = torch.bmm(belief[senders[:, frame], None], turns[:, frame])[:, 0]
        arrived.append(torch.where(receives[:, frame], moved, 1 / WAYS))  # exactly, whatever was not received
        belief = arrived[-1] * seen[:, frame]
        belief = belief / belief.sum(dim=1, keepdim=True)
    return torch.stack(arrived, dim=1)
