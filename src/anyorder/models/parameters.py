"""What a model tells the optimiser about its parameters."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters that are treated alike.

    Attributes:
        parameters: of this group.
        decays: True if weight decay applies.
        is_table: True for logits indexed by a symbol: each row sees few examples, so it learns faster.
    """

    parameters: list[nn.Parameter]
    decays: bool
    is_table: bool = False
