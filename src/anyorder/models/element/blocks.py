"""The layers of the transformer.

Legend: B trajectories, N tokens, D width, H heads.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

LONGEST_PERIOD = 1_000.0
"""Steps of the slowest rotation of `rotations`."""


class TransformerLayer(nn.Module):
    """Attention, then a gated feed-forward network (SwiGLU, Shazeer 2020), each after a normalisation and beside a residual.

    Args:
        width: D.
        num_heads: H; must divide the width.
        expansion: hidden width of the feed-forward network, as a multiple of D.
        dropout: see `anyorder.config.ElementModelConfig`.
        num_layers: of the whole model: residual branches begin small, so that depth does not change the first outputs.
    """

    def __init__(self, width: int, num_heads: int, expansion: float, num_layers: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.num_heads, hidden = num_heads, int(width * expansion)
        self.before_attention, self.before_mixing = nn.LayerNorm(width), nn.LayerNorm(width)
        self.queries_keys_values = nn.Linear(width, 3 * width, bias=False)
        self.attended = nn.Linear(width, width, bias=False)
        self.gate_and_up = nn.Linear(width, 2 * hidden, bias=False)
        self.down = nn.Linear(hidden, width, bias=False)
        self.dropout = nn.Dropout(dropout)
        for last in (self.attended, self.down):
            nn.init.normal_(last.weight, std=0.02 / (2 * num_layers) ** 0.5)

    def forward(self, tokens: Tensor, sees: Tensor, turns: tuple[Tensor, Tensor]) -> Tensor:
        """``[B, N, D]``; arguments as of `attend`."""
        return self.mix(self.attend(tokens, sees, turns))

    def attend(self, tokens: Tensor, sees: Tensor, turns: tuple[Tensor, Tensor]) -> Tensor:
        """``[B, N, D]``: the first half of the layer.

        Args:
            tokens: ``[B, N, D]``.
            sees: bool ``[B, 1, N, N]``, True where the row may look at the column.
            turns: of `rotations`.
        """
        return tokens + self.dropout(self.attended(self._attention(self.before_attention(tokens), sees, turns)))

    def mix(self, tokens: Tensor) -> Tensor:
        """``[..., D]``: the second half, which looks at each token alone."""
        gate, up = self.gate_and_up(self.before_mixing(tokens)).chunk(2, dim=-1)
        return tokens + self.dropout(self.down(functional.silu(gate) * up))

    def _attention(self, tokens: Tensor, sees: Tensor, turns: tuple[Tensor, Tensor]) -> Tensor:
        parts = self.queries_keys_values(tokens).unflatten(-1, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)
        queries, keys = rotated(parts[:2], turns)
        return functional.scaled_dot_product_attention(queries, keys, parts[2], attn_mask=sees).transpose(1, 2).flatten(2)


def rotations(step: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Cosines and sines, ``[B, 1, N, size / 2]`` each, of rotary embeddings (Su et al. 2021) of environment time, int64
    ``[B, N]``."""
    frequencies = LONGEST_PERIOD ** (-torch.arange(0, size, 2, device=step.device) / size)
    angles = (step[..., None] * frequencies)[:, None]
    return angles.cos(), angles.sin()


def rotated(vectors: Tensor, turns: tuple[Tensor, Tensor]) -> Tensor:
    """``[..., B, H, N, size]``: each pair of features turned by its angle."""
    (cos, sin), (first, second) = turns, vectors.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1).to(vectors.dtype)
