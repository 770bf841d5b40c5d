"""What was not recorded, filled in by a model: every missing value is asked for at once, from all that was recorded.

Each value is chosen by itself, so its probability is that of this value alone: what a calibration can make true. The joint
distribution of several missing values is what `anyorder.inference.decoding` decodes.

Legend: F frames of a trajectory, P columns of a frame, K questions, V values, N parts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from anyorder.elements.batch import Batch
from anyorder.inference.decoding import ask
from anyorder.masking.order import reconstruct
from anyorder.models.contract import Model
from anyorder.types import TrajectoryT

FRAMES_AT_ONCE = 1024
"""Observations in one pass, padding included."""


@dataclass(frozen=True, eq=False)
class GapPiece:
    """A part of a trajectory that a model reads at once.

    Attributes:
        encoded: its elements, in which what is asked for exists, whatever its values are.
        missing: bool ``[F', P]``, True for what is asked for.
        first: number of its first frame in the trajectory.
    """

    encoded: Any
    missing: Tensor
    first: int


class Table(Protocol[TrajectoryT]):
    """How the values of a kind of trajectories lie in a table with a row for each frame, and how a model reads it."""

    @property
    def model(self) -> Model[Any]:
        """In evaluation mode."""

    @property
    def names(self) -> Sequence[str]:
        """Of the N parts (attributes, fields) that values belong to."""

    @property
    def part(self) -> np.ndarray:
        """int64 ``[P]``, the part of each column."""

    @property
    def tolerance(self) -> np.ndarray:
        """float64 ``[P]``, by how much a value may be off and still be right; 0 for values without an order."""

    def missing(self, episode: TrajectoryT) -> np.ndarray:
        """bool ``[F, P]``, True where a value was not recorded that the model knows."""

    def recorded(self, episode: TrajectoryT) -> np.ndarray:
        """float64 ``[F, P]``, the values: numbers of categories, real numbers in their units; NaN where there is none."""

    def marks(self, episode: TrajectoryT) -> np.ndarray:
        """float32 ``[F, P]``: the probability of what a model filled in, 0 elsewhere."""

    def pieces(self, episode: TrajectoryT, missing: np.ndarray) -> list[GapPiece]:
        """The trajectory as the model reads it, with ``missing``, bool ``[F, P]``, to be asked for."""

    def collate(self, encoded: Sequence[Any]) -> Batch[Any]:
        """One batch of pieces, padded."""

    def frames(self, batch: Batch[Any], elements: Tensor) -> Tensor:
        """``[B, E] -> [B, F', P]``, a view."""

    def answers(self, logits: Tensor, part: int) -> tuple[Tensor, Tensor]:
        """The most probable values, float64 ``[K]``, and their probabilities, float64 ``[K]``, from logits ``[K, V]``."""

    def completed(self, episode: TrajectoryT, values: np.ndarray, probability: np.ndarray) -> TrajectoryT:
        """The trajectory with ``values``, float64 ``[F, P]``, where ``probability``, float32 ``[F, P]``, is above 0."""


@dataclass(frozen=True, eq=False)
class Replies:
    """What a model answered to the questions of several trajectories.

    Attributes:
        episode, frame, column: int64 ``[K]``, where each question stands.
        logits: ``[K, V]``.
        truth: int64 ``[K]``, the number among the V that stood there.
    """

    episode: Tensor
    frame: Tensor
    column: Tensor
    logits: Tensor
    truth: Tensor


def replies(table: Table[TrajectoryT], episodes: Sequence[TrajectoryT], missing: Sequence[np.ndarray]) -> Iterator[Replies]:
    """Ask a model for what is missing of trajectories, pass by pass.

    Args:
        table: reads the trajectories.
        episodes: trajectories.
        missing: of each, bool ``[F, P]``: what is asked for.
    """
    pieces = [
        (number, piece)
        for number, (one, where) in enumerate(zip(episodes, missing))
        if where.any()
        for piece in table.pieces(one, where)
        if piece.missing.any()
    ]
    pieces.sort(key=lambda pair: len(pair[1].missing))
    group: list[tuple[int, GapPiece]] = []
    for pair in pieces:
        if group and (len(group) + 1) * len(pair[1].missing) > FRAMES_AT_ONCE:
            yield _pass(table, group)
            group = []
        group.append(pair)
    if group:
        yield _pass(table, group)


def _pass(table: Table[Any], group: Sequence[tuple[int, GapPiece]]) -> Replies:
    batch = table.collate([piece.encoded for _, piece in group])
    wanted = torch.zeros_like(batch.layout.present)
    frames = table.frames(batch, wanted)
    for number, (_, piece) in enumerate(group):
        frames[number, : len(piece.missing)] = piece.missing
    order = reconstruct(batch.layout, wanted)
    logits = ask(table.model, batch, order)
    row, frame, column = table.frames(batch, order.targets).nonzero(as_tuple=True)
    episode = torch.tensor([number for number, _ in group])[row]
    first = torch.tensor([piece.first for _, piece in group])[row]
    truth = table.frames(batch, batch.values)[row, frame, column]
    return Replies(episode, frame + first, column, logits, truth)


def cut_gaps(missing: np.ndarray, slices: Sequence[slice], observed: np.ndarray) -> list[Tensor]:
    """Bool ``[F', P]`` of each piece: what is asked of it. The last frame of a piece is the first one of the next, which is not
    asked for its observation again.

    Args:
        missing: bool ``[F, P]``.
        slices: the frames of the pieces.
        observed: bool ``[P]``, True for the columns of observations.
    """
    asked = [torch.from_numpy(missing[part].copy()) for part in slices]
    for piece in asked[1:]:
        piece[0, torch.from_numpy(observed)] = False
    return asked
