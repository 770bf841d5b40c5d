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

from anyorder.elements.layout import Attribute, Layout
from anyorder.masking.order import Order, reconstruct
from anyorder.masking.schedules import Rate
from anyorder.masking.strategies.base import episode, until_some, whole_groups


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
    """Each attribute of each cell is hidden independently, with probability ``rates[attribute]`` or else ``rate``.

    Attributes:
        rate: for every attribute not named in ``rates``.
        rates: from `Attribute` to its own rate. Each trajectory draws every rate once. Words (the mission's in
            a grid, all elements in text) and returns cannot have a rate of their own.
    """

    rate: Rate
    rates: Mapping[Attribute, Rate] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if others := [attribute.name.lower() for attribute in self.rates if attribute not in OF_FRAMES]:
            known = ", ".join(attribute.name.lower() for attribute in OF_FRAMES)
            raise ValueError(f"only {known} can have a rate of their own; found {', '.join(others)}; leave it out")

    def __call__(self, layout: Layout, generator: torch.Generator) -> Order:
        def draw(rows: Layout) -> Tensor:
            per_attribute = torch.stack(
                [self.rates.get(a, self.rate).sample(rows.shape[0], generator) for a in Attribute], dim=1
            )
            return torch.rand(rows.shape, generator=generator) < per_attribute.gather(1, rows.attribute)

        return reconstruct(layout, until_some(layout, episode(layout), draw))


OF_FRAMES = (Attribute.OBJECT, Attribute.COLOR, Attribute.STATE, Attribute.DIRECTION, Attribute.ACTION)
"""Attributes of what may be hidden in a grid."""
