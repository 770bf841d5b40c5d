"""From the values of elements back to MiniGrid's own numbers and words.

Legend: B trajectories, F frames, X columns and Y rows of a view, W mission words.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from anyorder.elements.grid import Attribute, GridShape, GridVocabulary


def raw_cells(values: Tensor, shape: GridShape, vocabulary: GridVocabulary) -> np.ndarray:
    """uint8 ``[B, F, X, Y, 3]``: MiniGrid's (object, color, state); zero at padding."""
    starts = [vocabulary.offsets[a] for a in (Attribute.OBJECT, Attribute.COLOR, Attribute.STATE)]
    cells = (shape.cells(values) - torch.tensor(starts)).clamp(min=0)
    return cells.unflatten(2, (shape.columns, shape.rows)).numpy().astype(np.uint8)


def raw_actions(values: Tensor, shape: GridShape, vocabulary: GridVocabulary) -> np.ndarray:
    """int64 ``[B, F]``: MiniGrid's actions; -1 or less at padding and at the last frame of a whole trajectory."""
    return (shape.actions(values) - vocabulary.offsets[Attribute.ACTION]).numpy()


def mission_of(values: Tensor, vocabulary: GridVocabulary) -> str:
    """The mission that word values (int64 ``[W]``) spell."""
    first = vocabulary.offsets[Attribute.WORD]
    return " ".join(vocabulary.words[value - first] for value in values.tolist())
