"""What a cell's token holds at first: the sum of what its fields show.

Legend: B trajectories, C cells, k fields of a cell, D width.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from anyorder.elements.spec import Bins, Field, Spec
from anyorder.models.element.cells import CellGrid, num_places


class CellInputs(nn.Module):
    """Embeds cells.

    Args:
        spec: the fields.
        width: D.
        noise, harmonics: see `anyorder.config.ElementModelConfig`.
    """

    def __init__(self, spec: Spec, width: int, noise: float = 0.0, harmonics: int = 0) -> None:
        super().__init__()
        self.groups = nn.ModuleList(GroupInputs(group, width, noise, harmonics) for group in spec.groups)
        self.places = nn.Embedding(num_places(spec), width)
        nn.init.normal_(self.places.weight, std=0.5)

    def forward(self, grid: CellGrid, values: Tensor, numbers: Tensor, shown: Tensor, hidden: Tensor) -> Tensor:
        """``[B, C, D]``.

        Args:
            grid: the C cells.
            values: int64 ``[B, C, k]``.
            numbers: float32 ``[B, C, k]``, see `anyorder.elements.fields.FieldLayout`.
            shown: bool ``[B, C, k]``, True where the token holds the value.
            hidden: bool ``[B, C, k]``, True where it holds the mask symbol; where neither, it holds nothing.
        """
        embedded, cells = [], []
        for number, group in enumerate(self.groups):
            assert isinstance(group, GroupInputs)
            # Also of groups without a cell here, so that every parameter has a gradient in every process of a run.
            inside = (grid.group == number).nonzero()[:, 0]
            own = [part[:, inside, : len(group.fields)] for part in (values, numbers, shown, hidden)]
            embedded.append(group(*own))
            cells.append(inside)
        return torch.cat(embedded, dim=1)[:, torch.cat(cells).argsort()] + self.places(grid.place)


class GroupInputs(nn.Module):
    """Embeds the cells of one group.

    A category has a vector of its own. A real number enters through a linear map, as itself and as its harmonics. What is
    hidden enters as its field's mask symbol.

    Args:
        fields: of the group.
        width: D.
        noise, harmonics: see `anyorder.config.ElementModelConfig`.
    """

    bounds: Tensor
    last: Tensor
    ends: Tensor

    fields: Sequence[Field]

    def __init__(self, fields: Sequence[Field], width: int, noise: float = 0.0, harmonics: int = 0) -> None:
        super().__init__()
        self.fields, self.noise, self.harmonics = fields, noise, harmonics
        self.real = [i for i, field in enumerate(fields) if isinstance(field.values, Bins)]
        self.other = [i for i in range(len(fields)) if i not in self.real]
        if self.real:
            bounds = torch.tensor([_bounds(fields[i].values) for i in self.real]).T.contiguous()
            self.register_buffer("bounds", bounds, persistent=False)
            last = torch.tensor([len(fields[i].values) - 1 for i in self.real])
            self.register_buffer("last", last, persistent=False)
            self.numbers = nn.Linear(len(self.real) * (2 + 2 * harmonics), width)
        if self.other:
            # The last symbol of each field is its mask; the last of all is nothing.
            ends = [0, *itertools.accumulate(len(fields[i].values) + 1 for i in self.other)]
            self.register_buffer("ends", torch.tensor(ends), persistent=False)
            self.nothing = ends[-1]
            self.symbols = nn.EmbeddingBag(self.nothing + 1, width, mode="sum", padding_idx=self.nothing)
            nn.init.normal_(self.symbols.weight, std=0.5)

    def forward(self, values: Tensor, numbers: Tensor, shown: Tensor, hidden: Tensor) -> Tensor:
        """``[B, n, D]`` of the group's n cells; arguments as of `CellInputs`, for these cells and their own fields."""
        parts = []
        if self.real:
            features = self._features(*(part[..., self.real] for part in (values, numbers, shown, hidden)))
            parts.append(self.numbers(features))
        if self.other:
            values, shown, hidden = (part[..., self.other] for part in (values, shown, hidden))
            symbol = torch.where(shown, self.ends[:-1] + values, torch.where(hidden, self.ends[1:] - 1, self.nothing))
            parts.append(self.symbols(symbol.flatten(0, 1)).unflatten(0, symbol.shape[:2]))
        return parts[0] if len(parts) == 1 else parts[0] + parts[1]

    def _features(self, values: Tensor, numbers: Tensor, shown: Tensor, hidden: Tensor) -> Tensor:
        """``[B, n, k * (2 + 2 * harmonics)]``: each number and its waves where it is shown, and whether it is hidden."""
        low, high, width = self.bounds
        middle = (low + (values + 0.5) * width).where((values > 0) & (values < self.last), torch.where(values > 0, high, low))
        known = torch.where(numbers.isnan(), middle, numbers)
        if self.training and self.noise:
            known = known + self.noise * torch.randn_like(known)
        turns = known[..., None] * (math.pi / 3 * 2.0 ** torch.arange(self.harmonics, device=known.device))
        told = torch.cat([known[..., None], turns.sin(), turns.cos()], dim=-1).masked_fill(~shown[..., None], 0.0)
        return torch.cat([told, hidden[..., None].to(told.dtype)], dim=-1).flatten(-2)


def _bounds(values: object) -> tuple[float, float, float]:
    """Of a real number, in standard deviations: the bounds of its bins, and the width of a bin."""
    assert isinstance(values, Bins)
    scaled = [(bound - values.mean) / values.deviation for bound in (values.low, values.high)]
    return scaled[0], scaled[1], values.width / values.deviation
