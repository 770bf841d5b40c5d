"""How a model of grids reads trajectories with gaps (`anyorder.inference.filling.Table`).

Legend: F frames, S cells of a view, P = 3S + 3 columns: the cells' attributes, the direction, the return, the action.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from anyorder.elements.batch import Batch
from anyorder.elements.grid import AFTER_CELLS, Attribute, Encoded, GridLayout, collate, encode, frame_marks
from anyorder.elements.layout import part_slices
from anyorder.inference.filling import GapPiece, cut_gaps
from anyorder.models.contract import GridModel
from anyorder.types import Trajectory, without_mission


class GridTable:
    """A `Table` of trajectories in a grid.

    Args:
        model: in evaluation mode.
    """

    def __init__(self, model: GridModel) -> None:
        self.model = model
        self._num_cells = model.view[0] * model.view[1]
        cell = [Attribute.OBJECT, Attribute.COLOR, Attribute.STATE]
        self.part = np.array(cell * self._num_cells + [Attribute.DIRECTION, Attribute.RETURN, Attribute.ACTION])
        self.names = [attribute.name.lower() for attribute in Attribute]
        self.tolerance = np.zeros(len(self.part))
        self._observed = (self.part != Attribute.RETURN) & (self.part != Attribute.ACTION)

    def missing(self, episode: Trajectory) -> np.ndarray:
        """See `Table`."""
        self.model.check(episode.observations.shape[1:3], len(episode.mission.split()))
        found = frame_marks(episode.absent, len(episode) + 1, len(self.part))
        return np.zeros((len(episode) + 1, len(self.part)), bool) if found is None else found.numpy()

    def recorded(self, episode: Trajectory) -> np.ndarray:
        """See `Table`."""
        table = np.full((len(episode) + 1, len(self.part)), np.nan)
        table[:, :-AFTER_CELLS] = episode.observations.reshape(len(table), -1)
        table[:, -3] = episode.directions
        table[:-1, -1] = episode.actions
        table[self.missing(episode)] = np.nan
        return table

    def marks(self, episode: Trajectory) -> np.ndarray:
        """See `Table`."""
        table = np.zeros((len(episode) + 1, len(self.part)), np.float32)
        for name, sure in without_mission(episode.filled).items():
            if name == "observations":
                table[:, :-AFTER_CELLS] = sure.reshape(len(table), -1)
            elif name == "directions":
                table[:, -3] = sure
            else:
                table[:-1, -1] = sure
        return table

    def pieces(self, episode: Trajectory, missing: np.ndarray) -> list[GapPiece]:
        """See `Table`."""
        encoded = encode(episode, self.model.vocabulary)
        slices = part_slices(len(episode) + 1, self.model.max_frames)
        lost = torch.from_numpy(self.missing(episode) | missing)
        found = []
        for part, asked in zip(slices, cut_gaps(missing, slices, self._observed)):
            frames, absent = encoded.frames[part], lost[part] & ~asked
            piece = replace(encoded, frames=frames, num_actions=len(frames) - 1, absent=absent, filled=None)
            found.append(GapPiece(piece, asked, part.start))
        return found

    def collate(self, encoded: Sequence[Encoded]) -> Batch[GridLayout]:
        """See `Table`."""
        return Batch(*collate(encoded, *self.model.view))

    def frames(self, batch: Batch[GridLayout], elements: Tensor) -> Tensor:
        """See `Table`."""
        return batch.layout.grid.frames(elements)

    def answers(self, logits: Tensor, part: int) -> tuple[Tensor, Tensor]:
        """See `Table`."""
        sure, chosen = logits.double().softmax(dim=-1).max(dim=-1)
        return (chosen - self.model.vocabulary.offsets[Attribute(part)]).double(), sure

    def completed(self, episode: Trajectory, values: np.ndarray, probability: np.ndarray) -> Trajectory:
        """See `Table`."""
        found: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        for name, cut in (
            ("observations", (slice(None), slice(None, -AFTER_CELLS))),
            ("directions", (slice(None), -3)),
            ("actions", (slice(None, -1), -1)),
        ):
            array = getattr(episode, name)
            sure = probability[cut].reshape(array.shape)
            if (sure > 0).any():
                found[name] = (np.where(sure > 0, values[cut].reshape(array.shape), array).astype(array.dtype), sure)
        absent = {name: where & ~(found[name][1] > 0) if name in found else where for name, where in episode.absent.items()}
        filled = {name: sure + episode.filled.get(name, np.float32(0)) for name, (_, sure) in found.items()}
        changed: dict[str, Any] = {name: array for name, (array, _) in found.items()}
        changed["absent"] = {name: where for name, where in absent.items() if where.any()}
        return replace(episode, **changed, filled={**episode.filled, **filled})
