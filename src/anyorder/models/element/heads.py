"""From a cell's token to the logits of its fields.

Legend: Q cells with a target, k fields of a cell, K targets, V values, D width.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from anyorder.elements.spec import Bins, Field, Spec

LEAST_LOG_DEVIATION, MOST_LOG_DEVIATION = -6.0, 3.0
"""Bounds of the logarithm of a predicted deviation, in standard deviations of the field."""


class CellHeads(nn.Module):
    """Logits of the fields of cells: a linear map for each group.

    Args:
        spec: the fields.
        width: D.
        kind: see `anyorder.config.ElementModelConfig.head`.
    """

    def __init__(self, spec: Spec, width: int, kind: Literal["bins", "normal"] = "bins") -> None:
        super().__init__()
        self.size = spec.size
        self.sizes = [[len(field.values) for field in group] for group in spec.groups]
        self.heads = nn.ModuleList(_head(width, sum(sizes)) for sizes in self.sizes)
        self.normals = nn.ModuleList(_Normals(group, width) for group in spec.groups) if kind == "normal" else None

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
            found = head(cells[inside])
            if self.normals is not None:
                found = found + self.normals[this](cells[inside])
            for field, answers in enumerate(found.split(sizes, dim=-1)):
                chosen = asked[inside, field].nonzero()[:, 0]
                numbers.append(number[inside[chosen], field])
                logits.append(functional.pad(answers[chosen], (0, self.size - answers.shape[-1]), value=-torch.inf))
        return torch.cat(logits)[torch.cat(numbers).argsort()]


class _Normals(nn.Module):
    """What normal densities of the real numbers of a group add to their logits; to those of categories, nothing.

    A mean would learn the faster the surer the model is, and leave little of a clipped gradient to all else. Its gradient is
    therefore scaled by the deviation (Seitzer et al. 2022, with beta = 0.5).
    """

    middles: Tensor
    field: Tensor
    least: Tensor

    def __init__(self, fields: Sequence[Field], width: int) -> None:
        super().__init__()
        values = [one.values for one in fields]
        # Of numpy, so that a model without memory (on the device "meta") can be made, too.
        middles = [_middles(one) if isinstance(one, Bins) else np.zeros(len(one), np.float32) for one in values]
        halves = [one.width / one.deviation / 2 if isinstance(one, Bins) else np.inf for one in values]
        field = np.repeat(np.arange(len(values)), [len(one) for one in values])
        buffers = {"middles": np.concatenate(middles), "field": field, "least": np.array(halves, np.float32)}
        for name, array in buffers.items():
            self.register_buffer(name, torch.from_numpy(array), persistent=False)
        self.predicted = _head(width, 2 * len(fields))

    def forward(self, cells: Tensor) -> Tensor:
        """float32 ``[Q, sum of the fields' V]``, for cells ``[Q, D]`` of this group."""
        mean, log_deviation = self.predicted(cells).float().chunk(2, dim=-1)
        deviation = log_deviation.clamp(LEAST_LOG_DEVIATION, MOST_LOG_DEVIATION).exp()
        variance = self.least.square() + deviation.square()  # as wide as half a bin at least; infinite for categories
        slowed = mean.detach() + (mean - mean.detach()) * variance.detach().sqrt().clamp(max=1.0)
        off = slowed[:, self.field] - self.middles
        return -off.square() / (2 * variance[:, self.field])


def _middles(bins: Bins) -> np.ndarray:
    return bins.scaled(bins.recorded(np.arange(len(bins))))


def _head(width: int, num_values: int) -> nn.Linear:
    head = nn.Linear(width, num_values)
    nn.init.normal_(head.weight, std=0.02)
    nn.init.zeros_(head.bias)
    return head
