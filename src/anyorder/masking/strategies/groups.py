"""Plain reconstruction: which elements are hidden together.

Hidden elements are targets, the rest is context, ranks are equal: each target sees everything visible, past and future. Each
distribution holds given that at least one element is hidden. Missions stay visible, returns are dropped.

Legend: B trajectories, E elements.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from anyorder.elements.layout import FieldName, Layout
from anyorder.masking.order import Order, reconstruct
from anyorder.masking.schedules import Rate
from anyorder.masking.strategies.base import episode, numbers_of, until_some, whole_groups


@dataclass(frozen=True)
class Cell:
    """Each cell (a grid square with its three attributes, a direction, an action) is hidden independently with
    probability ``rate``."""

    rate: Rate

    def __call__(self, layout: Layout, generator: torch.Generator) -> Order:
        def draw(rows: Layout) -> Tensor:
            return whole_groups(rows.cell, rows.num_cells, self.rate, generator)

        return reconstruct(layout, until_some(layout, episode(layout), draw))


@dataclass(frozen=True)
class Token:
    """Each element is hidden independently with probability ``rate``: with a constant rate BERT's masking (Devlin et
    al., 2019), with one uniform on (0, 1) that of masked diffusion (MDLM, Sahoo et al., 2024; LLaDA, Nie et al., 2025).
    """

    rate: Rate

    def __call__(self, layout: Layout, generator: torch.Generator) -> Order:
        def draw(rows: Layout) -> Tensor:
            rates = self.rate.sample(rows.shape[0], generator)
            return torch.rand(rows.shape, generator=generator) < rates[:, None]

        return reconstruct(layout, until_some(layout, episode(layout), draw))


@dataclass(frozen=True)
class Unit:
    """Each unit (a whole observation or a whole action) is hidden independently with probability ``rate``."""

    rate: Rate

    def __call__(self, layout: Layout, generator: torch.Generator) -> Order:
        def draw(rows: Layout) -> Tensor:
            return whole_groups(rows.unit, rows.num_units, self.rate, generator)

        return reconstruct(layout, until_some(layout, episode(layout), draw))


@dataclass(frozen=True)
class AttributeWise:
    """Each element is hidden independently, with the rate of its field in ``rates`` or else ``rate``.

    Attributes:
        rate: for every field not named in ``rates``.
        rates: from a field, or a group of fields, to its own rate. Each trajectory draws every rate once. Missions and
            returns cannot have a rate of their own, since they are not asked for.

    Raises:
        ValueError: when called, for a name that no field of the trajectories has.
    """

    rate: Rate
    rates: Mapping[FieldName, Rate] = field(default_factory=dict)

    def __call__(self, layout: Layout, generator: torch.Generator) -> Order:
        own = {number: rate for name, rate in self.rates.items() for number in numbers_of(layout, name)}

        def draw(rows: Layout) -> Tensor:
            rates = [own.get(number, self.rate).sample(rows.shape[0], generator) for number in range(len(layout.fields))]
            return torch.rand(rows.shape, generator=generator) < torch.stack(rates, dim=1).gather(1, rows.attribute)

        return reconstruct(layout, until_some(layout, episode(layout), draw))
