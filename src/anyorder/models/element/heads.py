"""From a cell's token to the logits of its fields.

Legend: Q cells with a target, k fields of a cell, K targets, V values, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from anyorder.elements.spec import Spec


class CellHeads(nn.Module):
    """Logits of the fields of cells: a linear map for each group.

    Args:
        spec: the fields.
        width: D.
    """

    def __init__(self, spec: Spec, width: int) -> None:
        super().__init__()
        self.size = spec.size
        self.sizes = [[len(field.values) for field in group] for group in spec.groups]
        self.heads = nn.ModuleList(_head(width, sum(sizes)) for sizes in self.sizes)

    def forward(self, cells: Tensor, group: Tensor, asked: Tensor, number: Tensor) -> Tensor:
        """``[K, V]``; -inf for values that a field does not have.

        Args:
            cells: ``[Q, D]``, tokens of cells with a target.
            group: int64 ``[Q]``, number of the group of each.
            asked: bool ``[Q, k]``, True for the fields that are targets.
            number: int64 ``[Q, k]``, which of the K targets each is.
        """
        numbers, logits = [number.new_empty(0)], [cells.new_empty(0, self.size)]
        for this, (head, sizes) in enumerate(zip(self.heads, self.sizes)):
            # Also of groups that nobody asks for, so that every parameter has a gradient in every process of a run.
            inside = (group == this).nonzero()[:, 0]
            for field, answers in enumerate(head(cells[inside]).split(sizes, dim=-1)):
                chosen = asked[inside, field].nonzero()[:, 0]
                numbers.append(number[inside[chosen], field])
                logits.append(functional.pad(answers[chosen], (0, self.size - answers.shape[-1]), value=-torch.inf))
        return torch.cat(logits)[torch.cat(numbers).argsort()]


def _head(width: int, num_values: int) -> nn.Linear:
    head = nn.Linear(width, num_values)
    nn.init.normal_(head.weight, std=0.02)
    nn.init.zeros_(head.bias)
    return head
