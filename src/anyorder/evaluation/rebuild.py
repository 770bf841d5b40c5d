"""A model's best guess of what an order hides, and the way back from values to what MiniGrid shows.

Legend: B trajectories, F frames, X columns and Y rows of a view, E elements.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from anyorder.data.batch import Batch
from anyorder.data.grid import GridShape, GridVocabulary
from anyorder.data.layout import Attribute
from anyorder.masking.order import Order


@torch.no_grad()
def rebuild(model: nn.Module, batch: Batch, order: Order) -> Tensor:
    """int64 ``[B, E]`` on the CPU: the most probable value of each target, the true value of everything else."""
    device = next(model.parameters()).device
    there = batch.to(device)
    guesses = model(there.values, there.layout, order.to(device)).argmax(dim=-1).cpu()
    return batch.values.masked_scatter(order.targets.cpu(), guesses)


def raw_cells(values: Tensor, shape: GridShape, vocabulary: GridVocabulary) -> np.ndarray:
    """uint8 ``[B, F, X, Y, 3]``: MiniGrid's (object, color, state); zero at padding."""
    starts = [vocabulary.offsets[a] for a in (Attribute.OBJECT, Attribute.COLOR, Attribute.STATE)]
    cells = (shape.cells(values) - torch.tensor(starts)).clamp(min=0)
    return cells.unflatten(2, (shape.columns, shape.rows)).numpy().astype(np.uint8)


def raw_actions(values: Tensor, shape: GridShape, vocabulary: GridVocabulary) -> np.ndarray:
    """int64 ``[B, F]``: MiniGrid's actions; -1 or less at padding and at a last frame."""
    return (shape.actions(values) - vocabulary.offsets[Attribute.ACTION]).numpy()


def mission_of(values: Tensor, vocabulary: GridVocabulary) -> str:
    """The mission that word values (int64 ``[W]``) spell."""
    first = vocabulary.offsets[Attribute.WORD]
    return " ".join(vocabulary.words[value - first] for value in values.tolist())
