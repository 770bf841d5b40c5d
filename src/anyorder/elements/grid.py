"""Grid trajectories as elements: vocabulary, element order and layout.

A trajectory becomes one row of elements: the mission's words, then for every step the observation (each cell's
object, color and state, column by column as MiniGrid gives them), the direction, the return-to-go (the reward that is
still to come) and the action taken there (the last step has padding for both).
The order is regular, so a model can view a row as frames without any index arithmetic. A value that was not recorded is
padding, too: it is never shown, asked or counted.

Legend: B trajectories, W mission words, F frames, S cells of a view, E = W + F * (3S + 3) elements.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from anyorder.elements.contents import Contents, contents_of
from anyorder.elements.layout import Kind, Layout, part_slices
from anyorder.errors import AnyOrderError
from anyorder.types import Trajectory, without_mission


class Attribute(IntEnum):
    """The fields of MiniGrid's trajectories: which property of its cell an element is."""

    OBJECT = 0
    COLOR = 1
    STATE = 2
    DIRECTION = 3
    ACTION = 4
    WORD = 5
    RETURN = 6


FIELDS = tuple(attribute.name.lower() for attribute in Attribute)
AFTER_CELLS = 3
"""Elements of a frame that are not part of a grid square: direction, return, action."""
NUM_RETURNS = 21
"""A return-to-go is 0 (nothing more is earned) or one of 20 equal parts of (0, 1], MiniGrid's range."""
_ROUNDING = 1e-4  # of sums of float32 rewards
UNKNOWN_WORD = "<unknown>"
WALL = 2
"""MiniGrid's number for a wall. Types with a larger number are objects; unseen, empty and wall are background. Objects come
first in `GridVocabulary`'s numbering, so MiniGrid's number of an object is its value, too."""
NUM_VALUES = {
    Attribute.OBJECT: 11,
    Attribute.COLOR: 6,
    Attribute.STATE: 4,
    Attribute.DIRECTION: 4,
    Attribute.RETURN: NUM_RETURNS,
    Attribute.ACTION: 7,
}
"""How many values MiniGrid gives each attribute (a state is a door's 0..2, or an agent's direction 0..3)."""


@dataclass(frozen=True)
class GridVocabulary:
    """One numbering for all values; each attribute has its own range.

    Attributes:
        words: mission words; the first is `UNKNOWN_WORD`.
        contents: what a cell can hold; empty: any object with any color and state.
    """

    words: tuple[str, ...]
    contents: Contents = ()

    @classmethod
    def of(cls, trajectories: Sequence[Trajectory]) -> GridVocabulary:
        """The vocabulary of a data set: every word of its missions, sorted, and what its cells hold."""
        words = {word for trajectory in trajectories for word in trajectory.mission.split()}
        return cls((UNKNOWN_WORD, *sorted(words)), contents_of(trajectories))

    @property
    def sizes(self) -> dict[Attribute, int]:
        """Number of values of each attribute, in the order of their ranges."""
        return {**NUM_VALUES, Attribute.WORD: len(self.words)}

    @property
    def offsets(self) -> dict[Attribute, int]:
        """First value of each attribute's range."""
        ends = np.cumsum([0, *self.sizes.values()])
        return {attribute: int(start) for attribute, start in zip(self.sizes, ends)}

    def __len__(self) -> int:
        return sum(self.sizes.values())

    def allowed(self) -> Tensor:
        """bool ``[len(Attribute), V]``; True where a value belongs to the attribute."""
        table = torch.zeros(len(Attribute), len(self), dtype=torch.bool)
        for attribute, start in self.offsets.items():
            table[attribute, start : start + self.sizes[attribute]] = True
        return table

    def frame_offsets(self, num_cells: int) -> np.ndarray:
        """int64 ``[3S + 3]``: add these to a frame's raw numbers (object, color, state, ..., direction, return, action) to
        get its values."""
        starts = self.offsets
        cell = [starts[Attribute.OBJECT], starts[Attribute.COLOR], starts[Attribute.STATE]]
        return np.array(cell * num_cells + [starts[a] for a in (Attribute.DIRECTION, Attribute.RETURN, Attribute.ACTION)])

    def encode_mission(self, mission: str) -> list[int]:
        """Values of the mission's words; a word never seen in training is `UNKNOWN_WORD`."""
        number = {word: index for index, word in enumerate(self.words)}
        start = self.offsets[Attribute.WORD]
        return [start + number.get(word, 0) for word in mission.split()]


@dataclass(frozen=True)
class GridShape:
    """Reads a row of elements as words and frames.

    Attributes:
        num_words: W, number of words of the longest mission in the batch.
        num_frames: F, number of frames of the longest trajectory in the batch.
        columns, rows: size of the agent's view.
    """

    num_words: int
    num_frames: int
    columns: int
    rows: int

    @property
    def num_cells(self) -> int:
        """S, number of cells of a view."""
        return self.columns * self.rows

    @property
    def num_elements(self) -> int:
        """E, number of elements of a row."""
        return self.num_words + self.num_frames * self.per_frame

    @property
    def per_frame(self) -> int:
        """3S + 3, number of elements of a frame."""
        return 3 * self.num_cells + AFTER_CELLS

    def words(self, elements: Tensor) -> Tensor:
        """``[B, E] -> [B, W]``, a view: the mission."""
        return elements[:, : self.num_words]

    def frames(self, elements: Tensor) -> Tensor:
        """``[B, E] -> [B, F, 3S + 3]``, a view: the cells' attributes, the direction, the return, the action."""
        return elements[:, self.num_words :].unflatten(1, (self.num_frames, self.per_frame))

    def cells(self, elements: Tensor) -> Tensor:
        """``[B, E] -> [B, F, S, 3]``, a view: (object, color, state)."""
        return self.frames(elements)[..., :-AFTER_CELLS].unflatten(-1, (self.num_cells, 3))

    def observations(self, elements: Tensor) -> Tensor:
        """``[B, E] -> [B, F, 3S + 1]``, a view: the cells' attributes and the direction."""
        return self.frames(elements)[..., :-2]

    def directions(self, elements: Tensor) -> Tensor:
        """``[B, E] -> [B, F]``, a view."""
        return self.frames(elements)[..., -3]

    def returns(self, elements: Tensor) -> Tensor:
        """``[B, E] -> [B, F]``, a view; the last frame of a trajectory has no return."""
        return self.frames(elements)[..., -2]

    def actions(self, elements: Tensor) -> Tensor:
        """``[B, E] -> [B, F]``, a view; the last frame of a trajectory has no action."""
        return self.frames(elements)[..., -1]


@dataclass(frozen=True, eq=False)
class GridLayout(Layout):
    """The `Layout` of trajectories in a grid, whose rows are regular.

    Attributes:
        grid: how to view a row as words and frames.
    """

    grid: GridShape


def grid_layout(
    shape: GridShape, num_frames: Tensor, num_actions: Tensor, num_words: Tensor, missions: tuple[str, ...]
) -> GridLayout:
    """The layout of trajectories that have these lengths.

    Args:
        shape: shape of the batch's rows.
        num_frames: int64 ``[B]``, frames of each trajectory.
        num_actions: int64 ``[B]``, actions of each trajectory: one less than frames for a whole trajectory; as many as
            frames for a trajectory that goes on, since its next action is an element, too.
        num_words: int64 ``[B]``, mission words of each trajectory.
        missions: B instructions.
    """
    template = _template(shape)
    exists = torch.empty(len(num_actions), shape.num_elements, dtype=torch.bool)
    exists[:, : shape.num_words] = torch.arange(shape.num_words) < num_words[:, None]
    step = torch.arange(shape.num_frames)
    frames = shape.frames(exists)
    frames[..., :-2] = (step < num_frames[:, None])[..., None]
    frames[..., -2:] = (step < num_actions[:, None])[..., None]
    rows: dict[str, Any] = {name: tensor.expand(len(num_actions), -1) for name, tensor in template.items()}
    rows["kind"] = torch.where(exists, rows["kind"], int(Kind.PADDING))
    return GridLayout(
        **rows,
        num_cells=shape.num_words + shape.num_frames * (shape.num_cells + AFTER_CELLS),
        num_units=1 + 3 * shape.num_frames,
        missions=missions,
        fields=FIELDS,
        grid=shape,
    )


@lru_cache(maxsize=64)
def _template(shape: GridShape) -> dict[str, Tensor]:
    """One row of every layout tensor, int64 ``[E]``, for a trajectory that fills the shape. Batches of one shape share these
    tensors, so nothing may write into them."""
    row = {
        name: torch.empty(1, shape.num_elements, dtype=torch.int64) for name in ("kind", "attribute", "step", "cell", "unit")
    }
    step = torch.arange(shape.num_frames)
    words, per_frame = shape.num_words, shape.num_cells + AFTER_CELLS
    first_cell = words + step * per_frame

    shape.words(row["kind"])[:] = Kind.MISSION
    shape.frames(row["kind"])[:] = Kind.OBSERVATION
    shape.returns(row["kind"])[:] = Kind.RETURN
    shape.actions(row["kind"])[:] = Kind.ACTION

    shape.words(row["attribute"])[:] = Attribute.WORD
    shape.cells(row["attribute"])[:] = torch.tensor([Attribute.OBJECT, Attribute.COLOR, Attribute.STATE])
    shape.directions(row["attribute"])[:] = Attribute.DIRECTION
    shape.returns(row["attribute"])[:] = Attribute.RETURN
    shape.actions(row["attribute"])[:] = Attribute.ACTION

    shape.words(row["step"])[:] = -1
    shape.frames(row["step"])[:] = step[:, None]

    shape.words(row["cell"])[:] = torch.arange(words)
    shape.cells(row["cell"])[:] = (first_cell[:, None] + torch.arange(shape.num_cells))[..., None]
    shape.directions(row["cell"])[:] = first_cell + shape.num_cells
    shape.returns(row["cell"])[:] = first_cell + shape.num_cells + 1
    shape.actions(row["cell"])[:] = first_cell + shape.num_cells + 2

    shape.words(row["unit"])[:] = 0
    shape.observations(row["unit"])[:] = 1 + 3 * step[:, None]
    shape.returns(row["unit"])[:] = 2 + 3 * step
    shape.actions(row["unit"])[:] = 3 + 3 * step
    return {name: tensor[0] for name, tensor in row.items()}


@dataclass(frozen=True, eq=False)
class Encoded:
    """The values of one trajectory, or of the history of one that goes on.

    Attributes:
        mission: the instruction.
        words: int64 ``[W]``, the mission's words.
        frames: int64 ``[F, 3S + 3]``: the cells' attributes, the direction, the return, the action taken there.
        num_actions: F - 1 for a whole trajectory; F where the next action is still to come (its value may be any).
        absent: bool ``[F, 3S + 3]``, True where a value was not recorded; None: all were.
        filled: bool ``[F, 3S + 3]``, True where a model filled the value in; None: nowhere.
    """

    mission: str
    words: Tensor
    frames: Tensor
    num_actions: int
    absent: Tensor | None = None
    filled: Tensor | None = None


def returns_to_go(rewards: np.ndarray) -> np.ndarray:
    """int64 ``[T]``: the sum of the rewards from each step on, as one of `NUM_RETURNS` levels; sums below 0 count as 0, those
    above 1 as 1."""
    earned = np.cumsum(rewards[::-1].astype(np.float64))[::-1].clip(0, 1)
    # Rounded before it becomes a level: a sum of float32 numbers is not exact, and could pass to the next level.
    return np.ceil(np.round(earned * (NUM_RETURNS - 1), 4)).astype(np.int64)


def returns_beyond(trajectories: Iterable[Trajectory]) -> tuple[float, float] | None:
    """The lowest and the highest return-to-go; None where all lie between 0 and 1, as `returns_to_go` supposes."""
    earned = [np.cumsum(trajectory.rewards[::-1].astype(np.float64)) for trajectory in trajectories]
    low, high = min(float(sums.min()) for sums in earned), max(float(sums.max()) for sums in earned)
    return None if low > -_ROUNDING and high < 1 + _ROUNDING else (low, high)


def encode(trajectory: Trajectory, vocabulary: GridVocabulary) -> Encoded:
    """The values of a whole trajectory.

    Raises:
        ValueError: for a number that MiniGrid does not have; it would mean a value of another attribute.
    """
    observed = np.moveaxis(trajectory.observations, -1, 0)
    returns = returns_to_go(trajectory.rewards)
    for attribute, raw in zip(NUM_VALUES, (*observed, trajectory.directions, returns, trajectory.actions)):
        if raw.max() >= NUM_VALUES[attribute]:
            raise ValueError(
                f"the number of a {attribute.name.lower()} must be below {NUM_VALUES[attribute]}; found {raw.max()}"
            )
    num_frames = len(trajectory) + 1
    frames = np.zeros((num_frames, trajectory.observations[0].size + AFTER_CELLS), dtype=np.int64)
    frames[:, :-AFTER_CELLS] = trajectory.observations.reshape(num_frames, -1)
    frames[:, -3] = trajectory.directions
    frames[:-1, -2] = returns
    frames[:-1, -1] = trajectory.actions
    filled = {name: probability > 0 for name, probability in without_mission(trajectory.filled).items()}
    return Encoded(
        trajectory.mission,
        torch.tensor(vocabulary.encode_mission(trajectory.mission), dtype=torch.int64),
        torch.from_numpy(frames + vocabulary.frame_offsets((frames.shape[1] - AFTER_CELLS) // 3)),
        len(trajectory),
        frame_marks(trajectory.absent, num_frames, frames.shape[1]),
        frame_marks(filled, num_frames, frames.shape[1]),
    )


def frame_marks(marks: Mapping[str, np.ndarray], num_frames: int, per_frame: int) -> Tensor | None:
    """bool ``[F, 3S + 3]``: what is said of a trajectory's arrays (bool, in their shapes), of its elements; None where nothing
    is."""
    if not any(where.any() for where in marks.values()):
        return None
    found = np.zeros((num_frames, per_frame), dtype=bool)
    if "observations" in marks:
        found[:, :-AFTER_CELLS] = marks["observations"].reshape(num_frames, -1)
    if "directions" in marks:
        found[:, -3] = marks["directions"]
    if "actions" in marks:
        found[:-1, -1] = marks["actions"]
    return torch.from_numpy(found)


def cut_into_parts(encoded: Encoded, max_frames: int | None) -> list[Encoded]:
    """A trajectory in parts of at most ``max_frames`` frames, see `part_slices`."""
    slices = part_slices(len(encoded.frames), max_frames)
    if len(slices) == 1:
        return [encoded]
    return [_piece(encoded, part) for part in slices]


def _piece(encoded: Encoded, part: slice) -> Encoded:
    frames, marks = encoded.frames[part], (encoded.absent, encoded.filled)
    absent, filled = (None if mark is None else mark[part] for mark in marks)
    return replace(encoded, frames=frames, num_actions=len(frames) - 1, absent=absent, filled=filled)


def collate(encoded: Sequence[Encoded], columns: int, rows: int) -> tuple[Tensor, GridLayout]:
    """One batch of trajectories, padded: their values, int64 ``[B, E]`` (0 at padding), and their layout."""
    num_words = torch.tensor([len(one.words) for one in encoded])
    num_frames = torch.tensor([len(one.frames) for one in encoded])
    num_actions = torch.tensor([one.num_actions for one in encoded])
    shape = GridShape(int(num_words.max()), int(num_frames.max()), columns, rows)
    values = torch.zeros(len(encoded), shape.num_elements, dtype=torch.int64)
    all_frames = shape.frames(values)
    for row, one in enumerate(encoded):
        values[row, : len(one.words)] = one.words
        all_frames[row, : len(one.frames)] = one.frames
    layout = grid_layout(shape, num_frames, num_actions, num_words, tuple(one.mission for one in encoded))
    absent, filled = (_marked([one.absent for one in encoded], shape), _marked([one.filled for one in encoded], shape))
    if absent is not None:
        layout = replace(layout, kind=layout.kind.masked_fill(absent, int(Kind.PADDING)))
    if filled is not None:
        layout = replace(layout, filled=filled & layout.present)
    return values.masked_fill_(~layout.present, 0), layout


def _marked(marks: Sequence[Tensor | None], shape: GridShape) -> Tensor | None:
    """bool ``[B, E]`` from the marks of each trajectory's frames; None where nothing is marked."""
    if all(mark is None for mark in marks):
        return None
    found = torch.zeros(len(marks), shape.num_elements, dtype=torch.bool)
    frames = shape.frames(found)
    for row, mark in enumerate(marks):
        if mark is not None:
            frames[row, : len(mark)] = mark
    return found


def object_elements(values: Tensor, layout: Layout) -> Tensor:
    """bool ``[B, E]``; True for the object, color and state of every cell that holds an object: whose type is above `WALL`."""
    is_object = (layout.attribute == Attribute.OBJECT) & layout.present & (values > WALL)
    in_cell = torch.zeros(len(values), layout.num_cells, dtype=torch.bool, device=values.device)
    in_cell = in_cell.scatter_reduce(1, layout.cell, is_object, reduce="amax")
    return in_cell.gather(1, layout.cell) & (layout.attribute <= Attribute.STATE)


def check_view(made: tuple[int, int], found: tuple[int, int]) -> None:
    """Raise an AnyOrderError if views have another size, columns and rows, than the model was made for."""
    if tuple(found) != tuple(made):
        sizes = ["x".join(map(str, size)) for size in (made, found)]
        raise AnyOrderError(
            f"the views must have {sizes[0]} cells, since this model was made for those; found {sizes[1]}; choose an"
            " environment or data with such views"
        )
