"""Trajectories of any spec as elements: how they are encoded, and their layout.

A trajectory becomes one row: the mission (its fields, then the instruction's words), then for every step the observation (group
by group, cell by cell), the return-to-go and the action taken there (the last step has padding for both). The order is regular,
so a model can view a row as frames. A value that was not recorded is padding, too: it is never shown, asked or counted.

Legend: B trajectories, H elements of a mission, F frames, P elements of a frame, E = H + F * P elements.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from anyorder.elements.batch import Batch, ByLength
from anyorder.elements.encoding import FieldReader
from anyorder.elements.fitting import rewards_to_come
from anyorder.elements.layout import Kind, Layout, part_slices
from anyorder.elements.spec import ABSENT, Spec, Words
from anyorder.types import FieldTrajectory

KIND_OF = {
    "mission": Kind.MISSION,
    "observation": Kind.OBSERVATION,
    "return": Kind.RETURN,
    "action": Kind.ACTION,
}
_UNITS_PER_STEP = {"observation": 0, "return": 1, "action": 2}


@dataclass(frozen=True)
class FrameShape:
    """Reads a row of elements as a mission and frames.

    Attributes:
        num_head: H, elements of the longest mission in the batch.
        num_frames: F, frames of the longest trajectory in the batch.
        per_frame: P, elements of a frame.
    """

    num_head: int
    num_frames: int
    per_frame: int

    @property
    def num_elements(self) -> int:
        """E, number of elements of a row."""
        return self.num_head + self.num_frames * self.per_frame

    def head(self, elements: Tensor) -> Tensor:
        """``[B, E] -> [B, H]``, a view: the mission."""
        return elements[:, : self.num_head]

    def frames(self, elements: Tensor) -> Tensor:
        """``[B, E] -> [B, F, P]``, a view."""
        return elements[:, self.num_head :].unflatten(1, (self.num_frames, self.per_frame))


@dataclass(frozen=True, eq=False)
class FieldLayout(Layout):
    """The `Layout` of trajectories of a spec.

    Attributes:
        spec: the fields.
        frame_shape: how to view a row as mission and frames.
        numbers: float32 ``[B, E]``: of real numbers, the recorded value in standard deviations from the mean, finer than its
            bin; 0 elsewhere. A model may read it only where it may read the element's value.
    """

    spec: Spec
    frame_shape: FrameShape
    numbers: Tensor

    def matching(self, name: str) -> tuple[int, ...]:
        """See `Layout.matching`; a group's name means all its fields."""
        return self.spec.matching(name)

    def first_frames(self, num_frames: int) -> FieldLayout:
        """The layout of the mission and of the first frames alone, at least one."""
        shape = replace(self.frame_shape, num_frames=num_frames)
        return replace(self._map(lambda tensor: tensor[:, : shape.num_elements]), frame_shape=shape)

    def without_details(self, asked: Tensor) -> FieldLayout:
        """See `Layout.without_details`: the middle of its bin replaces each number where ``asked`` is True, once a value is
        put there."""
        return replace(self, numbers=self.numbers.masked_fill(asked, torch.nan))


@dataclass(frozen=True)
class FrameColumns:
    """Where the elements of one frame, or the fields of a mission, lie.

    Attributes:
        attribute: int64, number of the field of each element.
        cell: int64, number of its cell in the frame.
        place: int64, number of its cell in its group.
        kind: int64, a `Kind`.
        unit: int64, number of its unit in the step.
        num_cells: cells of a frame.
    """

    attribute: Tensor
    cell: Tensor
    place: Tensor
    kind: Tensor
    unit: Tensor
    num_cells: int


@lru_cache(maxsize=64)
def frame_columns(spec: Spec) -> FrameColumns:
    """Of the observation, the return and the action of one step."""
    return _columns(spec, mission=False)


@lru_cache(maxsize=64)
def mission_columns(spec: Spec) -> FrameColumns:
    """Of the fields of the mission, without its words."""
    return _columns(spec, mission=True)


def _columns(spec: Spec, mission: bool) -> FrameColumns:
    attribute, cell, places, kind, unit, first = [], [], [], [], [], 0
    number = {one.name: i for i, one in enumerate(spec.fields)}
    for group in spec.groups:
        if (group[0].kind == "mission") != mission or isinstance(group[0].values, Words):
            continue
        for place in range(group[0].num_cells):
            for one in group:
                attribute.append(number[one.name])
                cell.append(first + place)
                places.append(place)
                kind.append(int(KIND_OF[one.kind]))
                unit.append(_UNITS_PER_STEP.get(one.kind, 0))
        first += group[0].num_cells
    tensors = [torch.tensor(column, dtype=torch.int64) for column in (attribute, cell, places, kind, unit)]
    return FrameColumns(tensors[0], tensors[1], tensors[2], tensors[3], tensors[4], first)


@lru_cache(maxsize=64)
def frame_reader(spec: Spec) -> FieldReader:
    """Reads the observation, the return and the action of each step."""
    return FieldReader(spec, frame_columns(spec).attribute.tolist(), frame_columns(spec).cell.tolist())


@lru_cache(maxsize=64)
def mission_reader(spec: Spec) -> FieldReader:
    """Reads the fields of the mission."""
    return FieldReader(spec, mission_columns(spec).attribute.tolist(), mission_columns(spec).cell.tolist())


def words_field(spec: Spec) -> tuple[int, Words] | None:
    """Number and words of the field of instructions; None where there is none."""
    for number, one in enumerate(spec.fields):
        if isinstance(one.values, Words):
            return number, one.values
    return None


@dataclass(frozen=True, eq=False)
class EncodedFields:
    """The values of one trajectory, or of the history of one that goes on.

    Attributes:
        mission: the instruction.
        head: int64 ``[H]``, the mission's fields, then the words of the instruction; `ABSENT` where not recorded.
        frames: int64 ``[F, P]``; `ABSENT` where not recorded.
        head_numbers, frame_numbers: float32, in the same shapes: see `FieldLayout.numbers`.
        num_actions: F - 1 for a whole trajectory; F where the next action is still to come (its value may be any).
        filled: bool ``[F, P]``, True where a model filled the value in; None: nowhere.
        steps: int64 ``[F]``, rising, the time of each frame since the first; None: the frames follow one another.
    """

    mission: str
    head: Tensor
    frames: Tensor
    head_numbers: Tensor
    frame_numbers: Tensor
    num_actions: int
    filled: Tensor | None = None
    steps: Tensor | None = None


def encode_fields(trajectory: FieldTrajectory, spec: Spec) -> EncodedFields:
    """The values of a whole trajectory."""
    head, head_numbers = encode_mission(trajectory.mission, trajectory.observations, trajectory.absent, spec)
    sources = {**trajectory.observations, **trajectory.actions, "return": rewards_to_come(trajectory)}
    frames, numbers = frame_reader(spec)(sources, trajectory.absent, len(trajectory) + 1)
    given = {path: probability > 0 for path, probability in trajectory.filled.items()}
    filled = frame_reader(spec).marks(given, len(frames)) if given else None
    return EncodedFields(trajectory.mission, head, frames, head_numbers, numbers, len(trajectory), filled)


def encode_mission(
    mission: str, observations: Mapping[str, np.ndarray], absent: Mapping[str, np.ndarray], spec: Spec
) -> tuple[Tensor, Tensor]:
    """Values, int64 ``[H]``, and numbers, float32 ``[H]``, of what is the same throughout an episode: the fields of the
    mission, from the first observation, and the words of the instruction."""
    first = {path: array[:1] for path, array in observations.items()}
    values, numbers = mission_reader(spec)(first, {path: array[:1] for path, array in absent.items()}, 1)
    words = words_field(spec)
    table = {} if words is None else {word: number for number, word in enumerate(words[1].words)}
    spoken = [] if words is None else [table.get(word, 0) for word in mission.split()]
    return (
        torch.cat([values[0], torch.tensor(spoken, dtype=torch.int64)]),
        torch.cat([numbers[0], torch.zeros(len(spoken))]),
    )


def cut_fields(encoded: EncodedFields, max_frames: int | None) -> list[EncodedFields]:
    """A trajectory in parts of at most ``max_frames`` frames, see `part_slices`."""
    slices = part_slices(len(encoded.frames), max_frames)
    if len(slices) == 1:
        return [encoded]
    return [_piece(encoded, part) for part in slices]


def _piece(encoded: EncodedFields, part: slice) -> EncodedFields:
    frames, numbers = encoded.frames[part], encoded.frame_numbers[part]
    filled = None if encoded.filled is None else encoded.filled[part]
    return replace(encoded, frames=frames, frame_numbers=numbers, num_actions=len(frames) - 1, filled=filled)


def collate_fields(encoded: Sequence[EncodedFields], spec: Spec) -> Batch[FieldLayout]:
    """One batch of trajectories, padded."""
    columns, mission = frame_columns(spec), mission_columns(spec)
    num_frames = max(len(one.frames) for one in encoded)
    shape = FrameShape(max(len(one.head) for one in encoded), num_frames, len(columns.kind))
    values = torch.full((len(encoded), shape.num_elements), ABSENT)
    numbers = torch.zeros(values.shape)
    exists = torch.zeros(values.shape, dtype=torch.bool)
    filled = torch.zeros(values.shape, dtype=torch.bool) if any(one.filled is not None for one in encoded) else None
    of_actions = (columns.kind == Kind.ACTION) | (columns.kind == Kind.RETURN)
    for row, one in enumerate(encoded):
        length = len(one.frames)
        shape.head(values)[row, : len(one.head)] = one.head
        shape.head(numbers)[row, : len(one.head)] = one.head_numbers
        shape.frames(values)[row, :length] = one.frames
        shape.frames(numbers)[row, :length] = one.frame_numbers
        shape.head(exists)[row, : len(one.head)] = True
        shape.frames(exists)[row, :length] = ~of_actions
        shape.frames(exists)[row, : one.num_actions] = True
        if filled is not None and one.filled is not None:
            shape.frames(filled)[row, :length] = one.filled
    exists &= values != ABSENT
    template = _template(spec, shape, len(mission.kind))
    rows: dict[str, Any] = {name: tensor.expand(len(encoded), -1) for name, tensor in template.items()}
    rows["kind"] = torch.where(exists, rows["kind"], int(Kind.PADDING))
    if any(one.steps is not None for one in encoded):
        rows["step"] = _with_steps(rows["step"].clone(), shape, encoded)
    layout = FieldLayout(
        **rows,
        num_cells=shape.num_head + num_frames * columns.num_cells,
        num_units=1 + 3 * num_frames,
        missions=tuple(one.mission for one in encoded),
        fields=spec.names,
        spec=spec,
        frame_shape=shape,
        numbers=numbers,
        filled=None if filled is None else filled & exists,
    )
    return Batch(values.masked_fill_(~exists, 0), layout)


def _with_steps(step: Tensor, shape: FrameShape, encoded: Sequence[EncodedFields]) -> Tensor:
    """int64 ``[B, E]``: the steps of frames that do not follow one another; padding goes on after them."""
    for row, one in enumerate(encoded):
        if one.steps is not None:
            after = one.steps[-1] + torch.arange(1, shape.num_frames - len(one.steps) + 1)
            shape.frames(step)[row] = torch.cat([one.steps, after])[:, None]
    return step


@lru_cache(maxsize=64)
def _template(spec: Spec, shape: FrameShape, num_fields: int) -> dict[str, Tensor]:
    """One row of every layout tensor, int64 ``[E]``; of the head, the first ``num_fields`` are fields, the others words."""
    columns, mission = frame_columns(spec), mission_columns(spec)
    step = torch.arange(shape.num_frames)[:, None]
    word = words_field(spec)
    num_words = shape.num_head - num_fields
    words = torch.full((num_words,), -1 if word is None else word[0])
    head_cells = torch.cat([mission.cell, mission.num_cells + torch.arange(num_words)])
    row = {}
    for name, head, frame in (
        ("kind", torch.full((shape.num_head,), int(Kind.MISSION)), columns.kind),
        ("attribute", torch.cat([mission.attribute, words]), columns.attribute),
        ("step", torch.full((shape.num_head,), -1), step),
        ("cell", head_cells, shape.num_head + step * columns.num_cells + columns.cell),
        ("unit", torch.zeros(shape.num_head, dtype=torch.int64), 1 + 3 * step + columns.unit),
    ):
        row[name] = torch.empty(1, shape.num_elements, dtype=torch.int64)
        shape.head(row[name])[:] = head
        shape.frames(row[name])[:] = frame
    return {name: tensor[0] for name, tensor in row.items()}


def _has_gaps(encoded: EncodedFields, spec: Spec) -> bool:
    observed = frame_columns(spec).kind == Kind.OBSERVATION
    whole, last = encoded.frames[: encoded.num_actions], encoded.frames[encoded.num_actions :, observed]
    return bool((whole == ABSENT).any() or (last == ABSENT).any())


class EncodedFieldData(ByLength):
    """A split of a data set of any spec as elements, ready to be batched; lengths are counted in frames.

    Args:
        trajectories: at least one.
        spec: their fields.
        max_frames: longer trajectories are cut into parts of so many frames; None cuts none.
        cut: cuts a trajectory in another way, and is given ``max_frames``.

    Attributes:
        origins: of each part, the number of its trajectory.
        gaps: the numbers of the parts in which something is absent.
    """

    counted_in = "frames"

    def __init__(
        self,
        trajectories: Sequence[FieldTrajectory],
        spec: Spec,
        max_frames: int | None = None,
        cut: Callable[[EncodedFields, int | None], list[EncodedFields]] = cut_fields,
    ) -> None:
        self.spec = spec
        parts_of = [cut(encode_fields(one, spec), max_frames) for one in trajectories]
        self.origins = [number for number, parts in enumerate(parts_of) for _ in parts]
        self._encoded = [part for parts in parts_of for part in parts]
        self.gaps = [number for number, part in enumerate(self._encoded) if _has_gaps(part, spec)]
        super().__init__([len(one.frames) for one in self._encoded])

    def batch(self, index: Sequence[int]) -> Batch[FieldLayout]:
        """The chosen trajectories, padded to the longest."""
        return collate_fields([self._encoded[i] for i in index], self.spec)
