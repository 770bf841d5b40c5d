"""The mission's influence on cells: feature-wise modulation (Perez et al. 2018, FiLM), as BabyAI's own baseline has it.

Whether a cell matters depends on the mission, and that is a product ("is it red *if* red was asked for"), which sums
of embeddings cannot express.

Legend: B trajectories, M copies of them with N frames in all, S cells, W words, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class MissionEncoder(nn.Module):
    """One vector per mission.

    Args:
        width: D.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.read = nn.Linear(width, width)
        self.merge = nn.Linear(width, width)

    def forward(self, words: Tensor, visible: Tensor) -> Tensor:
        """The vector of each mission.

        Args:
            words: ``[B, W, D]``, embedded with their positions.
            visible: bool ``[B, W]``; True for words that take part.

        Returns:
            ``[B, D]``.
        """
        read = functional.gelu(self.read(words)) * visible[..., None]
        return self.merge(read.sum(dim=1) / visible.sum(dim=1, keepdim=True).clamp(min=1))


class ModulatedFeedForward(nn.Module):
    """A feed-forward block whose hidden features are scaled and shifted by the mission; plain at initialisation.

    Args:
        width: D.
        expansion: hidden width, as a multiple of D.
    """

    def __init__(self, width: int, expansion: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up, self.down = nn.Linear(width, expansion * width), nn.Linear(expansion * width, width)
        self.modulate = nn.Linear(width, 2 * expansion * width)
        nn.init.zeros_(self.modulate.weight)
        nn.init.zeros_(self.modulate.bias)

    def forward(self, cells: Tensor, mission: Tensor) -> Tensor:
        """``[N, S, D]``.

        Args:
            cells: ``[N, S, D]``.
            mission: ``[M, D]``, where M divides N: each is for the next N/M frames.
        """
        scale, shift = self.modulate(mission).chunk(2, dim=-1)
        # To scale and shift hidden features is to scale and shift the weights that make them, which are fewer.
        weight = self.up.weight * (1 + scale)[..., None]
        bias = torch.addcmul(shift, self.up.bias, 1 + scale)
        normed = self.norm(cells).view(len(mission), -1, cells.shape[-1])
        hidden = torch.baddbmm(bias[:, None], normed, weight.transpose(1, 2))
        return self.down(functional.gelu(hidden)).view_as(cells)
