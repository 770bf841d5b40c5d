"""What a model answers about one trajectory, with its confidence.

Legend: E elements, F frames, S cells, X columns and Y rows of a view, A actions of MiniGrid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from anyorder.elements.batch import Batch
from anyorder.elements.grid import AFTER_CELLS, Attribute, GridLayout
from anyorder.elements.raw_grid import raw_actions, raw_cells
from anyorder.evaluation.modes import Mode
from anyorder.inference.decoding import ask, decide_all
from anyorder.masking.order import Role, imitate
from anyorder.models.contract import GridModel


@dataclass(frozen=True, eq=False)
class Answered:
    """The most probable value of everything that a mode asks about one trajectory.

    Attributes:
        truth, cells: uint8 ``[F, X, Y, 3]``; ``cells`` is the truth where nothing was asked.
        hidden: bool ``[F, X, Y, 3]``; True for the attributes that were asked for.
        confidence: float ``[F, X, Y]``, the product of the probabilities of a cell's answers; 1 where nothing was asked.
        actions: int64 ``[F]``: the answers, the truth where nothing was asked; the last one is no action.
        actions_hidden: bool ``[F]``; True for the actions that were asked for.
        actions_confidence: float ``[F]``, the probability of each answer; 1 where nothing was asked.
    """

    truth: np.ndarray
    cells: np.ndarray
    hidden: np.ndarray
    confidence: np.ndarray
    actions: np.ndarray
    actions_hidden: np.ndarray
    actions_confidence: np.ndarray

    @property
    def asked(self) -> np.ndarray:
        """bool ``[F, X, Y]``; True where any attribute of the cell was asked for."""
        return np.any(self.hidden, axis=-1)

    @property
    def right(self) -> np.ndarray:
        """bool ``[F, X, Y]``; True where a cell has its true object, color and state."""
        return np.all(self.cells == self.truth, axis=-1)


@torch.no_grad()
def answered(model: GridModel, batch: Batch[GridLayout], mode: Mode, generator: torch.Generator) -> Answered:
    """The most probable answers to everything that a mode asks.

    Args:
        model: in evaluation mode.
        batch: of one trajectory.
        mode: what is asked, in one or several passes.
        generator: draws what is random in the mode.
    """
    values, asked = batch.values.clone(), torch.zeros_like(batch.layout.present)
    confidence = torch.ones(values.shape, dtype=torch.float64)
    for part, order, _ in mode(batch, generator):
        # Each row of a pass is the trajectory, or the beginning of it: the same elements, only fewer of them.
        at = order.targets.nonzero()[:, 1]
        chosen, sure = decide_all(model, part, order, ask(model, part, order))
        values[0, at], confidence[0, at], asked[0, at] = chosen, sure.double(), True
    shape, vocabulary = batch.layout.grid, model.vocabulary
    size = (shape.columns, shape.rows)
    return Answered(
        truth=raw_cells(batch.values, shape, vocabulary)[0],
        cells=raw_cells(values, shape, vocabulary)[0],
        hidden=shape.cells(asked)[0].unflatten(1, size).numpy(),
        confidence=shape.cells(confidence)[0].prod(dim=-1).unflatten(1, size).numpy(),
        actions=raw_actions(values, shape, vocabulary)[0],
        actions_hidden=shape.actions(asked)[0].numpy(),
        actions_confidence=shape.actions(confidence)[0].numpy(),
    )


@torch.no_grad()
def action_chances(model: GridModel, batch: Batch[GridLayout], unknown: Tensor, num_actions: int) -> np.ndarray:
    """float ``[F - 1, A]``: the probability of each action given what the agent knew before it acted.

    Args:
        model: in evaluation mode.
        batch: of one trajectory.
        unknown: bool ``[1, E]``; True for what was hidden from the agent.
        num_actions: how many actions the environment has; the others have probability 0.
    """
    order = imitate(batch.layout)
    order.roles[unknown & batch.layout.present] = Role.HIDDEN
    first, size = model.vocabulary.offsets[Attribute.ACTION], model.vocabulary.sizes[Attribute.ACTION]
    logits = ask(model, batch, order)[:, first : first + size].double()
    logits[:, num_actions:] = -torch.inf
    return logits.softmax(dim=-1).numpy()


def unknown_elements(batch: Batch[GridLayout], cells: np.ndarray) -> Tensor:
    """bool ``[1, E]``: the elements of the hidden cells (bool ``[F, X, Y]``) of one trajectory."""
    unknown = torch.zeros_like(batch.layout.present)
    frames = batch.layout.grid.frames(unknown)
    frames[0, :, :-AFTER_CELLS] = torch.from_numpy(cells.copy()).flatten(1).repeat_interleave(3, dim=1)
    return unknown
