"""What a model tells the optimiser about its parameters."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True, eq=False)
class ParameterGroup:
    """Parameters that are treated alike.

    Attributes:
        parameters: of this group.
        decays: True if weight decay applies.
        is_table: True for logits indexed by a symbol: each row sees few examples, so it learns faster.
        is_hidden: True for matrices from hidden features to hidden features, which Muon may take; not embeddings, heads
            and what stands for positions.
    """

    parameters: list[nn.Parameter]
    decays: bool
    is_table: bool = False
    is_hidden: bool = False


def matrices(module: nn.Module) -> list[nn.Parameter]:
    """The weights of a module's linear maps that learn."""
    linear = (inner for inner in module.modules() if isinstance(inner, nn.Linear))
    return [p for inner in linear for p in inner.parameters() if p.ndim == 2 and p.requires_grad]


def without(parameters: Iterable[nn.Parameter], left_out: Iterable[nn.Parameter]) -> list[nn.Parameter]:
    """In order, the parameters that learn and are not left out."""
    known = {id(parameter) for parameter in left_out}
    return [parameter for parameter in parameters if parameter.requires_grad and id(parameter) not in known]
