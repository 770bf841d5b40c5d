"""Which fields the trajectories of a data set have, and which values each field takes.

A *field* is one named value of an observation, an action or a signal. The fields of one *group* lie together in a cell, and a
group has as many cells per step as it has places (49 squares with object, color and state; one direction; one robot with all
its joints).

Legend: T actions, n cells of a group.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, get_args

import numpy as np

ABSENT = -1
"""The number of a value that was not recorded, or that its field does not know."""


@dataclass(frozen=True)
class Categories:
    """A finite set of values without an order.

    Attributes:
        values: the recorded values, by their number.
        names: what people call them; as many.
    """

    values: tuple[int | str, ...]
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.values or len(self.names) != len(self.values) or len(set(self.values)) != len(self.values):
            raise ValueError("categories must be different values, at least one, with a name each")

    def __len__(self) -> int:
        return len(self.values)

    def numbers(self, recorded: np.ndarray) -> np.ndarray:
        """int64 in the shape of ``recorded``; `ABSENT` for a value that is not among the categories."""
        if self.first is not None and recorded.dtype.kind in "biuf":
            numbers = np.nan_to_num(recorded, nan=self.first - 1).astype(np.int64) - self.first
            return np.where((numbers >= 0) & (numbers < len(self)), numbers, ABSENT)
        table = {value: number for number, value in enumerate(self.values)}
        found = [table.get(value, ABSENT) for value in recorded.ravel().tolist()]
        return np.array(found, np.int64).reshape(recorded.shape)

    def recorded(self, numbers: np.ndarray) -> np.ndarray:
        """The inverse of `numbers`."""
        return np.array(self.values)[numbers]

    @cached_property
    def first(self) -> int | None:
        """The first value where all follow one another."""
        first = self.values[0]
        if isinstance(first, str) or self.values != tuple(range(first, first + len(self))):
            return None
        return first


@dataclass(frozen=True)
class Bins:
    """Real numbers, told apart by ``number`` bins of equal width between ``low`` and ``high``; the first and the last bin are
    open: all that lies below or above belongs to them.

    Attributes:
        low, high: the 0.1 and 99.9 percentiles of the training data.
        number: how many bins.
        mean, deviation: of the training data; numbers are given to a model as ``(x - mean) / deviation``.
    """

    low: float
    high: float
    number: int
    mean: float
    deviation: float

    def __post_init__(self) -> None:
        if not (self.high > self.low and self.number >= 2 and self.deviation > 0):
            raise ValueError("bins must be at least 2, between a low and a higher number, of values that deviate")

    def __len__(self) -> int:
        return self.number

    @property
    def width(self) -> float:
        """Width of a bin, in the field's own unit."""
        return (self.high - self.low) / self.number

    def numbers(self, recorded: np.ndarray) -> np.ndarray:
        """int64 in the shape of ``recorded``: the bin of each number; `ABSENT` for NaN."""
        return bin_numbers(recorded, self.low, self.width, self.number)

    def recorded(self, numbers: np.ndarray) -> np.ndarray:
        """float64: the middle of each bin; of the open ones, the bound."""
        middle = self.low + (numbers + 0.5) * self.width
        return np.where(numbers <= 0, self.low, np.where(numbers >= self.number - 1, self.high, middle))

    def scaled(self, recorded: np.ndarray) -> np.ndarray:
        """float32: in standard deviations from the mean, at most `MOST_DEVIATIONS` of them; 0 for NaN."""
        return in_deviations(recorded, self.mean, self.deviation)


MOST_DEVIATIONS = 10.0
Numbers = float | np.ndarray


def bin_numbers(recorded: np.ndarray, low: Numbers, width: Numbers, number: Numbers) -> np.ndarray:
    """See `Bins.numbers`; of one field, or of as many as the last axis of ``recorded`` has entries."""
    with np.errstate(invalid="ignore"):
        place = np.floor((recorded.astype(np.float64) - low) / width).clip(0, np.subtract(number, 1))
    return np.where(np.isnan(place), ABSENT, place).astype(np.int64)


def in_deviations(recorded: np.ndarray, mean: Numbers, deviation: Numbers) -> np.ndarray:
    """See `Bins.scaled`; of one field, or of as many as the last axis of ``recorded`` has entries."""
    scaled = (recorded.astype(np.float64) - mean) / deviation
    return np.nan_to_num(scaled, nan=0.0).clip(-MOST_DEVIATIONS, MOST_DEVIATIONS).astype(np.float32)


@dataclass(frozen=True)
class Words:
    """Words of instructions; the first stands for words never seen in training."""

    words: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.words)


Values = Categories | Bins | Words
Part = Literal["mission", "observation", "return", "action"]
PARTS_OF_SPEC: tuple[Part, ...] = get_args(Part)


@dataclass(frozen=True)
class Field:
    """One named value.

    Attributes:
        name: unique in its spec, such as ``image/object`` or ``joint/3``.
        kind: the part of a trajectory that it belongs to. A ``mission`` field is the same throughout an episode (a goal, a
            task): one element per trajectory that is always shown.
        group: fields of one group share its cells.
        num_cells: n, how many cells the group has at each step.
        values: what it can be.
        source: path of the array that it is read from (`anyorder.types.FieldTrajectory`); ``return`` for what is still to be
            earned, ``mission`` for the instruction's words.
        start, stride: in the array of one step, flat, cell i is entry ``start + i * stride``.
    """

    name: str
    kind: Part
    group: str
    num_cells: int
    values: Values
    source: str
    start: int = 0
    stride: int = 1

    def read(self, recorded: np.ndarray) -> np.ndarray:
        """``[T', ...] -> [T', n]``: the field's entries of its path's array."""
        flat = recorded.reshape(len(recorded), -1)
        return flat[:, self.start : self.start + self.stride * (self.num_cells - 1) + 1 : self.stride]

    @property
    def scale(self) -> float:
        """Standard deviation of a real number, in its own unit; 1 for others."""
        return self.values.deviation if isinstance(self.values, Bins) else 1.0


@dataclass(frozen=True)
class Spec:
    """The ordered fields of a data set: missions first, then observations, the return and actions, groups together.

    Attributes:
        fields: in the order in which a trajectory's elements lie.
        left_out: what the recorded arrays hold beyond the fields -> why it is none (constant, a copy, asked for).
    """

    fields: tuple[Field, ...]
    left_out: Mapping[str, str] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        names = [one.name for one in self.fields]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"fields must have different names; found {', '.join(twice)} twice")
        if sorted(self.fields, key=lambda one: PARTS_OF_SPEC.index(one.kind)) != list(self.fields):
            raise ValueError(f"fields must come by kind: {', '.join(PARTS_OF_SPEC)}")
        for group in self.groups:
            if len({(one.kind, one.num_cells) for one in group}) > 1:
                raise ValueError(f"fields of the group {group[0].group} must have one kind and as many cells each")
        if len({group[0].group for group in self.groups}) < len(self.groups):
            raise ValueError("the fields of a group must follow one another")

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Name of each field, by its number."""
        return tuple(one.name for one in self.fields)

    @cached_property
    def groups(self) -> tuple[tuple[Field, ...], ...]:
        """The fields of each group."""
        found: list[list[Field]] = []
        for one in self.fields:
            if found and found[-1][0].group == one.group:
                found[-1].append(one)
            else:
                found.append([one])
        return tuple(tuple(group) for group in found)

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        # Kept, since layouts are looked up by their spec at every batch.
        return hash(self.fields)

    def of_kind(self, *kinds: str) -> tuple[Field, ...]:
        """The fields of these kinds."""
        return tuple(one for one in self.fields if one.kind in kinds)

    def matching(self, name: str) -> tuple[int, ...]:
        """Numbers of the fields that a name means: a field's own, or that of its group."""
        return tuple(number for number, one in enumerate(self.fields) if name in (one.name, one.group))

    @cached_property
    def size(self) -> int:
        """V: the most values that a field has."""
        return max(len(one.values) for one in self.fields)
