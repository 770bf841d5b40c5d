"""From recorded arrays to the numbers of their values, many fields at once.

Legend: T' steps, P elements of a step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from anyorder.elements.spec import ABSENT, Bins, Categories, Spec, bin_numbers, in_deviations


class _Values(Protocol):
    """Reads columns that are alike."""

    def read(self, recorded: np.ndarray) -> tuple[np.ndarray, np.ndarray | float]:
        """Values, int64, and numbers, of ``recorded``, ``[T', columns]``."""


@dataclass(frozen=True, eq=False)
class _Bins:
    low: np.ndarray
    width: np.ndarray
    number: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray

    @classmethod
    def of(cls, values: Sequence[Bins]) -> _Bins:
        rows = [(one.low, one.width, one.number, one.mean, one.deviation) for one in values]
        return cls(*np.array(rows, np.float64).T)

    def read(self, recorded: np.ndarray) -> tuple[np.ndarray, np.ndarray | float]:
        numbers = bin_numbers(recorded, self.low, self.width, self.number)
        return numbers, in_deviations(recorded, self.mean, self.deviation)


@dataclass(frozen=True, eq=False)
class _Integers:
    """Categories that are whole numbers in a row."""

    first: np.ndarray
    count: np.ndarray

    @classmethod
    def of(cls, values: Sequence[Categories]) -> _Integers:
        return cls(np.array([one.first for one in values]), np.array([len(one) for one in values]))

    def read(self, recorded: np.ndarray) -> tuple[np.ndarray, np.ndarray | float]:
        numbers = recorded.astype(np.int64) - self.first
        return np.where((numbers >= 0) & (numbers < self.count), numbers, ABSENT), 0.0


@dataclass(frozen=True, eq=False)
class _Named:
    """Any categories, column by column."""

    values: Sequence[Categories]

    def read(self, recorded: np.ndarray) -> tuple[np.ndarray, np.ndarray | float]:
        return np.stack([one.numbers(column) for one, column in zip(self.values, recorded.T)], axis=-1), 0.0


@dataclass(frozen=True, eq=False)
class _Part:
    """Elements that come from one array and are read alike.

    Attributes:
        source: path of the array.
        entries: which of its entries, flat, in one step.
        columns: which elements they become.
        values: reads them.
    """

    source: str
    entries: np.ndarray
    columns: np.ndarray
    values: _Values


class FieldReader:
    """Reads elements of steps.

    Args:
        spec: the fields.
        attribute: number of the field of each element.
        cell: number of its cell; the cells of a group follow one another.
    """

    def __init__(self, spec: Spec, attribute: Sequence[int], cell: Sequence[int]) -> None:
        self.num_elements = len(attribute)
        first: dict[str, int] = {}
        alike: dict[tuple[str, type], list[tuple[int, int, Any]]] = {}
        for column, (number, at) in enumerate(zip(attribute, cell)):
            field = spec.fields[number]
            place = at - first.setdefault(field.group, at)
            alike.setdefault((field.source, _reader(field.values)), []).append(
                (field.start + place * field.stride, column, field.values)
            )
        self._parts = []
        for (source, reader), rows in alike.items():
            entries, columns, values = zip(*rows)
            made = _Named(values) if reader is _Named else reader.of(values)  # type: ignore[attr-defined]
            self._parts.append(_Part(source, np.array(entries), np.array(columns), made))

    def __call__(
        self, sources: Mapping[str, np.ndarray], absent: Mapping[str, np.ndarray], num_steps: int
    ) -> tuple[Tensor, Tensor]:
        """Values, int64 ``[T', P]``, and numbers, float32 ``[T', P]`` (see `anyorder.elements.fields.FieldLayout`).

        Args:
            sources: path -> ``[T'' <= T', ...]``, what was recorded; a path may be missing.
            absent: path -> bool in the same shape, True where it was not.
            num_steps: T'.
        """
        values = np.full((num_steps, self.num_elements), ABSENT)
        numbers = np.zeros(values.shape, np.float32)
        for part in self._parts:
            if part.source not in sources:
                continue
            recorded = _entries(sources[part.source], part)
            found, scaled = part.values.read(recorded)
            if part.source in absent:
                found = np.where(_entries(absent[part.source], part), ABSENT, found)
            values[: len(found), part.columns] = found
            numbers[: len(found), part.columns] = np.where(found == ABSENT, 0, scaled)
        return torch.from_numpy(values), torch.from_numpy(numbers)

    def marks(self, where: Mapping[str, np.ndarray], num_steps: int) -> Tensor:
        """bool ``[T', P]``: what is said of the entries of arrays (path -> bool ``[T'' <= T', ...]``), of the elements."""
        found = np.zeros((num_steps, self.num_elements), dtype=bool)
        for part in self._parts:
            if part.source in where:
                marked = _entries(where[part.source], part)
                found[: len(marked), part.columns] = marked
        return torch.from_numpy(found)

    def places(self) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
        """The paths that are read; which of a path's entries, flat, in one step; and which elements they become."""
        for part in self._parts:
            yield part.source, part.entries, part.columns


def _entries(array: np.ndarray, part: _Part) -> np.ndarray:
    return array.reshape(len(array), -1)[:, part.entries]


def _reader(values: object) -> type:
    if isinstance(values, Bins):
        return _Bins
    assert isinstance(values, Categories)  # words are read with the mission
    return _Named if values.first is None else _Integers
