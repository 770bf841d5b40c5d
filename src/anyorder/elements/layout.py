"""Where every element of a batch belongs.

Legend: B trajectories in a batch, E elements of the longest one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from enum import IntEnum
from typing import Any, NewType, TypeVar

import torch
from torch import Tensor

LayoutT = TypeVar("LayoutT", bound="Layout")


class Kind(IntEnum):
    """Which part of a trajectory an element belongs to; PADDING elements belong to none."""

    PADDING = 0
    MISSION = 1
    OBSERVATION = 2
    ACTION = 3
    RETURN = 4


FieldName = NewType("FieldName", str)
"""Name of a field, or of a group of fields, of the trajectories at hand."""


def part_slices(num_frames: int, max_frames: int | None) -> list[slice]:
    """The frames of each part of a trajectory that is cut into parts of at most ``max_frames`` (at least 2; None: it is whole).

    Each part begins with the last frame of the part before, so every action is in one part together with the observations
    before and after it. Only the last part may be shorter than ``max_frames``.
    """
    if max_frames is None or num_frames <= max_frames:
        return [slice(0, num_frames)]
    return [slice(first, first + max_frames) for first in range(0, num_frames - 1, max_frames - 1)]


@dataclass(frozen=True, eq=False)
class Layout:
    """For each element, where it belongs. All tensors are int64 ``[B, E]`` on one device.

    Attributes:
        kind: a `Kind`.
        attribute: which field of its cell the element is, as a number of ``fields``.
        step: environment time; -1 for mission elements.
        cell: number of its cell in the trajectory, 0..num_cells-1; elements with equal numbers form one cell. A grid
            square's object, color and state are one cell; a direction, a return, an action or a mission word is a cell
            by itself.
        unit: number of its unit, 0..num_units-1; a unit is a whole observation, return, action or mission.
        num_cells: upper bound of ``cell``, over the batch.
        num_units: upper bound of ``unit``, over the batch.
        missions: B instructions in words, for code that needs a whole instruction.
        fields: the name of each field, by its number in ``attribute``.
        exempt: bool ``[B, E]``, True for elements that always stay visible, even where the rest of their unit is a target
            (separators, turns that a data set does not ask about); None where there are none. They have the kind, step
            and unit of the elements around them, so they have its rank and are dropped with it.
        filled: bool ``[B, E]``, True where a model filled the value in: it may be shown, and counts less than a recorded one
            (`anyorder.training.loss.Weighting`); None where nothing was filled in.
        sets: of each of the B trajectories, the number of the data set that it comes from; None where there is one only.
        given_positions: int64 ``[B, E]``, `positions` where elements do not simply follow one another: an element that
            stands for several (a run of equal cells) may take several positions; None where there is no such element.
    """

    kind: Tensor
    attribute: Tensor
    step: Tensor
    cell: Tensor
    unit: Tensor
    num_cells: int
    num_units: int
    missions: tuple[str, ...]
    fields: tuple[str, ...]
    exempt: Tensor | None = field(default=None, kw_only=True)
    filled: Tensor | None = field(default=None, kw_only=True)
    sets: tuple[int, ...] | None = field(default=None, kw_only=True)
    given_positions: Tensor | None = field(default=None, kw_only=True)

    @property
    def shape(self) -> torch.Size:
        """``[B, E]``."""
        return self.kind.shape

    @property
    def device(self) -> torch.device:
        return self.kind.device

    @property
    def present(self) -> Tensor:
        """bool ``[B, E]``; True where the element exists (is not padding)."""
        return self.kind != Kind.PADDING

    @property
    def askable(self) -> Tensor:
        """bool ``[B, E]``; True where the element may be a target: it exists and is not exempt."""
        return self.present if self.exempt is None else self.present & ~self.exempt

    @property
    def positions(self) -> Tensor:
        """int64 ``[B, E]``: the position of each element, from 0, for models with numbered positions. The position of padding
        is never larger than the largest position of the elements that exist."""
        if self.given_positions is not None:
            return self.given_positions
        return (self.present.cumsum(dim=1) - 1).clamp(min=0)

    def of_kind(self, kind: Kind) -> Tensor:
        """bool ``[B, E]``; True where the element is of this kind."""
        return self.kind == kind

    def matching(self, name: str) -> tuple[int, ...]:
        """Numbers of the fields that a name means; empty where it means none."""
        return tuple(number for number, field in enumerate(self.fields) if field == name)

    def without_details(self: LayoutT, asked: Tensor) -> LayoutT:
        """The layout without what it knows of the true values where ``asked``, bool ``[B, E]``, is True. Whoever puts other
        values there, such as a model's own answers, must take it away first."""
        return self

    def rows(self: LayoutT, index: Tensor) -> LayoutT:
        """The layout of the chosen trajectories; ``index`` is int64 ``[B']``."""
        chosen = index.tolist()
        missions = tuple(self.missions[row] for row in chosen)
        sets = None if self.sets is None else tuple(self.sets[row] for row in chosen)
        return replace(self._map(lambda tensor: tensor[index]), missions=missions, sets=sets)

    def to(self: LayoutT, device: torch.device | str) -> LayoutT:
        return self._map(lambda tensor: tensor.to(device, non_blocking=True))

    def _map(self: LayoutT, function: Callable[[Tensor], Tensor]) -> LayoutT:
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        mapped: dict[str, Any] = {name: function(value) for name, value in values.items() if isinstance(value, Tensor)}
        return replace(self, **mapped)
