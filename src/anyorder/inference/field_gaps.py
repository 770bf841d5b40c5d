"""How the general model reads trajectories with gaps (`anyorder.inference.filling.Table`).

Legend: F frames, P columns: the elements of a frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from anyorder.elements.batch import Batch
from anyorder.elements.fields import (
    EncodedFields,
    FieldLayout,
    collate_fields,
    encode_fields,
    frame_columns,
    frame_reader,
)
from anyorder.elements.grid_fields import GRID_PATHS, fields_of_grid
from anyorder.elements.layout import Kind, part_slices
from anyorder.elements.spec import ABSENT, Bins, Categories
from anyorder.envs.spaces import ACTION, OBSERVATION, leaves
from anyorder.inference.bin_answers import NEAR_TRUTH, BinAnswers
from anyorder.inference.filling import GapPiece, cut_gaps
from anyorder.models.element.element_transformer import ElementTransformer
from anyorder.types import FieldTrajectory, Trajectory


class FieldTable:
    """A `Table` of trajectories of fields.

    Args:
        model: in evaluation mode.
        observation_space, action_space: of its environment.
    """

    def __init__(
        self, model: ElementTransformer, observation_space: spaces.Space[Any], action_space: spaces.Space[Any]
    ) -> None:
        self.model, self._spec, columns = model, model.spec, frame_columns(model.spec)
        self.names, self.part = self._spec.names, columns.attribute.numpy()
        values = [self._spec.fields[number].values for number in self.part]
        self.tolerance = np.array([NEAR_TRUTH * one.deviation if isinstance(one, Bins) else 0.0 for one in values])
        self._reader = frame_reader(self._spec)
        self._observed = (columns.kind == Kind.OBSERVATION).numpy()
        self._leaves = leaves(observation_space, OBSERVATION), leaves(action_space, ACTION)

    def missing(self, episode: FieldTrajectory) -> np.ndarray:
        """See `Table`."""
        num_frames, lost = len(episode) + 1, {}
        for known, recorded, length in zip(self._leaves, (episode.observations, episode.actions), (num_frames, len(episode))):
            for path, leaf in known.items():
                lost[path] = np.ones((length, *(leaf.shape or ())), np.bool_)
                if path in recorded:
                    lost[path] = episode.absent.get(path, ~lost[path]) | _unrecorded(recorded[path])
        return self._reader.marks(lost, num_frames).numpy()

    def recorded(self, episode: FieldTrajectory) -> np.ndarray:
        """See `Table`."""
        numbers = encode_fields(episode, self._spec).frames.numpy()
        table = np.where(numbers == ABSENT, np.nan, numbers.astype(np.float64))
        for source, entries, columns in self._reader.places():
            array = {**episode.observations, **episode.actions}.get(source)
            real = np.array([isinstance(self._spec.fields[self.part[column]].values, Bins) for column in columns])
            if array is not None and real.any():
                flat = array.reshape(len(array), -1)[:, entries[real]]
                table[: len(flat), columns[real]] = np.where(np.isnan(table[: len(flat), columns[real]]), np.nan, flat)
        return table

    def marks(self, episode: FieldTrajectory) -> np.ndarray:
        """See `Table`."""
        table = np.zeros((len(episode) + 1, len(self.part)), np.float32)
        for source, entries, columns in self._reader.places():
            if source in episode.filled:
                flat = episode.filled[source].reshape(len(episode.filled[source]), -1)
                table[: len(flat), columns] = flat[:, entries]
        return table

    def pieces(self, episode: FieldTrajectory, missing: np.ndarray) -> list[GapPiece]:
        """See `Table`."""
        encoded = encode_fields(episode, self._spec)
        slices = part_slices(len(episode) + 1, self.model.max_frames)
        lost, found = torch.from_numpy(missing), []
        for part, asked in zip(slices, cut_gaps(missing, slices, self._observed)):
            frames = encoded.frames[part].masked_fill(lost[part] & ~asked, ABSENT)
            frames = frames.masked_fill(asked & (frames == ABSENT), 0)
            numbers = encoded.frame_numbers[part]
            piece = replace(encoded, frames=frames, frame_numbers=numbers, num_actions=len(frames) - 1, filled=None)
            found.append(GapPiece(piece, asked, part.start))
        return found

    def collate(self, encoded: Sequence[EncodedFields]) -> Batch[FieldLayout]:
        """See `Table`."""
        return collate_fields(encoded, self._spec)

    def frames(self, batch: Batch[FieldLayout], elements: Tensor) -> Tensor:
        """See `Table`."""
        return batch.layout.frame_shape.frames(elements)

    def answers(self, logits: Tensor, part: int) -> tuple[Tensor, Tensor]:
        """See `Table`."""
        values = self._spec.fields[part].values
        if isinstance(values, Bins):
            answers = BinAnswers.of(logits, values)
            chosen = answers.near(answers.probabilities.argmax(dim=-1))
            return chosen, answers.within(chosen, NEAR_TRUTH * values.deviation)
        sure, number = logits[:, : len(values)].double().softmax(dim=-1).max(dim=-1)
        return number.double(), sure

    def completed(self, episode: FieldTrajectory, values: np.ndarray, probability: np.ndarray) -> FieldTrajectory:
        """See `Table`."""
        recorded = ({**episode.observations}, {**episode.actions})
        absent, filled = {**episode.absent}, {**episode.filled}
        for source, entries, columns in self._reader.places():
            sure = probability[:, columns]
            if not (sure > 0).any():
                continue
            number = 0 if source in self._leaves[0] else 1
            leaf, length = self._leaves[number][source], len(episode) + 1 - number
            shape = (length, *(leaf.shape or ()))
            array = recorded[number].get(source)
            unknown = np.ones(shape, np.bool_) if array is None else absent.get(source, np.zeros(shape, np.bool_))
            before = np.zeros(shape, leaf.dtype) if array is None else array
            flat, marks = before.reshape(length, -1).copy(), np.zeros((length, before[0].size), np.float32)
            lost = (unknown | _unrecorded(before)).reshape(length, -1).copy()
            for entry, column in zip(entries, columns):
                rows = probability[:length, column] > 0
                chosen = self._as_recorded(leaf, int(column), values[:length, column][rows], int(entry))
                flat = flat.astype(np.result_type(flat, chosen)) if flat.dtype.kind == "U" else flat
                flat[rows, entry], lost[rows, entry], marks[rows, entry] = chosen, False, probability[:length, column][rows]
            recorded[number][source] = flat.reshape(shape)
            absent[source] = lost.reshape(shape)
            filled[source] = marks.reshape(shape) + filled.get(source, np.float32(0))
        kept = {path: where for path, where in absent.items() if where.any()}
        return replace(episode, observations=recorded[0], actions=recorded[1], absent=kept, filled=filled)

    def _as_recorded(self, leaf: spaces.Space[Any], column: int, values: np.ndarray, entry: int) -> np.ndarray:
        field = self._spec.fields[self.part[column]].values
        if isinstance(field, Categories):
            return field.recorded(values.astype(np.int64))
        if isinstance(leaf, spaces.Box):
            return values.clip(leaf.low.reshape(-1)[entry], leaf.high.reshape(-1)[entry])
        return values


class GridInFields:
    """A `Table` of trajectories in a grid, for the general model.

    Args:
        table: of the same trajectories as fields.
    """

    def __init__(self, table: FieldTable) -> None:
        self._table = table
        self.model, self.names, self.part, self.tolerance = table.model, table.names, table.part, table.tolerance
        self.collate, self.frames, self.answers = table.collate, table.frames, table.answers

    def missing(self, episode: Trajectory) -> np.ndarray:
        """See `Table`."""
        return self._table.missing(fields_of_grid(episode))

    def recorded(self, episode: Trajectory) -> np.ndarray:
        """See `Table`."""
        return self._table.recorded(fields_of_grid(episode))

    def marks(self, episode: Trajectory) -> np.ndarray:
        """See `Table`."""
        return self._table.marks(fields_of_grid(episode))

    def pieces(self, episode: Trajectory, missing: np.ndarray) -> list[GapPiece]:
        """See `Table`."""
        return self._table.pieces(fields_of_grid(episode), missing)

    def completed(self, episode: Trajectory, values: np.ndarray, probability: np.ndarray) -> Trajectory:
        """See `Table`."""
        found = self._table.completed(fields_of_grid(episode), values, probability)
        arrays = {**found.observations, **found.actions}
        changed: dict[str, Any] = {name: arrays[path].astype(getattr(episode, name).dtype) for name, path in GRID_PATHS.items()}
        for gaps in ("absent", "filled"):
            said = getattr(found, gaps)
            changed[gaps] = {name: said[path] for name, path in GRID_PATHS.items() if path in said}
        return replace(episode, **changed)


def _unrecorded(array: np.ndarray) -> np.ndarray:
    return np.isnan(array) if array.dtype.kind == "f" else np.zeros(array.shape, np.bool_)
