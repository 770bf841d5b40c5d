"""Answers for grid squares: object, color and state of a cell are chosen together, among what a cell can hold.

The probability of a content is the product of the model's probabilities of its attributes, normalised over all contents that
fit what is visible of the cell.

Legend: B trajectories, E elements, K targets, V vocabulary, N cells that are asked for, C contents.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import torch
from torch import Tensor

from anyorder.elements.batch import Batch
from anyorder.elements.grid import Attribute, GridLayout, GridVocabulary

OF_CELLS = (Attribute.OBJECT, Attribute.COLOR, Attribute.STATE)


@dataclass(frozen=True, eq=False)
class AskedCells:
    """The cells of a pass whose contents are chosen, and how likely each content is.

    Attributes:
        index: int64 ``[N, 3]``, the number of each attribute among the targets; -1 where it is not asked for.
        log_probability: float ``[N, C]``, of each content; -inf where it contradicts what is visible.
        contents: int64 ``[C, 3]``, values.
    """

    index: Tensor
    log_probability: Tensor
    contents: Tensor

    @classmethod
    def of(
        cls, vocabulary: GridVocabulary, batch: Batch[GridLayout], asked: Tensor, shown: Tensor, logits: Tensor
    ) -> AskedCells:
        """All cells that are asked for, but for those whose visible attributes no content has.

        Args:
            vocabulary: of the model.
            batch: on the CPU, as are all tensors.
            asked: bool ``[B, E]``, True for the elements whose logits are given.
            shown: bool ``[B, E]``, True where the batch's value is visible or was chosen before.
            logits: ``[K, V]``, in row-major order of ``asked``.
        """
        shape, contents = batch.layout.grid, content_values(vocabulary)
        number = torch.where(asked, (asked.flatten().cumsum(0) - 1).view(asked.shape), -1)
        chosen = shape.cells(asked).any(dim=-1)
        index, known, values = (shape.cells(each)[chosen] for each in (number, shown, batch.values))
        likely = logits.log_softmax(dim=-1)
        total = torch.zeros(len(index), len(contents), dtype=likely.dtype)
        for attribute in range(len(OF_CELLS)):
            of_attribute = likely[index[:, attribute].clamp(min=0)][:, contents[:, attribute]]
            fits = ~known[:, attribute, None] | (values[:, attribute, None] == contents[:, attribute])
            total += torch.where(index[:, attribute, None] >= 0, of_attribute, torch.where(fits, 0.0, -torch.inf))
        possible = (total > -torch.inf).any(dim=-1)
        return cls(index[possible], total[possible], contents)

    def chances(self, chosen: Tensor) -> Tensor:
        """float ``[N, 3]``: the chance of each attribute of the chosen contents (int64 ``[N]``) given those before it; their
        product is the probability of the content."""
        probability = self.log_probability.softmax(dim=-1)
        agrees, found = torch.ones_like(probability, dtype=torch.bool), [torch.ones(len(probability))]
        for attribute in range(len(OF_CELLS)):
            agrees = agrees & (self.contents[:, attribute] == self.contents[chosen, attribute][:, None])
            found.append((probability * agrees).sum(dim=-1))
        return torch.stack([now / before.clamp(min=1e-30) for before, now in pairwise(found)], dim=-1)


@lru_cache(maxsize=16)
def content_values(vocabulary: GridVocabulary) -> Tensor:
    """int64 ``[C, 3]``: what a cell can hold, as values of the vocabulary."""
    starts = torch.tensor([vocabulary.offsets[attribute] for attribute in OF_CELLS])
    return torch.tensor(vocabulary.contents, dtype=torch.int64) + starts
