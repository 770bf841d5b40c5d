"""The model and both baselines, asked the same questions.

Legend: B trajectories, F frames, S cells of a view, E elements, K targets, N questions, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from anyorder.elements.batch import Batch
from anyorder.elements.grid import GridLayout, GridShape
from anyorder.evaluation.baselines import Baselines
from anyorder.masking.order import Order

PREDICTORS = MODEL, MOST_FREQUENT, COPY_LAST = "model", "most_frequent", "copy_last"
COLUMNS = (
    *("count", "num_elements", "knowable", "knowable right"),
    *(f"{name} {what}" for what in ("right", "nll") for name in PREDICTORS),
)
"""The figures of each question that are added up."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """Every predictor's answers to every question, as tensors of one shape: ``[B, E]``, or ``[B, F, S]`` for cells.

    Attributes:
        num_elements: int64, hidden elements of each question; 0 where nothing is asked.
        right: bool by predictor; True where all hidden elements of the question are right.
        nll: float by predictor, nats, summed over the hidden elements of each question.
        knowable: bool; True where all hidden elements of the question are given away by what is visible.
    """

    num_elements: Tensor
    right: Mapping[str, Tensor]
    nll: Mapping[str, Tensor]
    knowable: Tensor

    @classmethod
    def of(
        cls,
        batch: Batch[GridLayout],
        order: Order,
        logits: Tensor,
        answers: Tensor,
        baselines: Baselines,
        knowable: Tensor | None = None,
    ) -> Predictions:
        """By element.

        Args:
            batch: with true values.
            order: of what is asked.
            logits: ``[K, V]``, of the targets in row-major order.
            answers: int64 ``[K]``, the values that the model chose.
            baselines: that are asked the same.
            knowable: bool ``[B, E]``; None where nobody can say.
        """
        asked, values = order.targets, batch.values
        predicted = values.new_zeros(values.shape).masked_scatter(asked, answers)
        nll = nn.functional.cross_entropy(logits, values[asked], reduction="none")
        copies = baselines.copied(batch, order)
        return cls(
            asked.long(),
            {
                MODEL: predicted == values,
                MOST_FREQUENT: baselines.frequent(batch.layout) == values,
                COPY_LAST: copies.values == values,
            },
            {
                MODEL: nll.new_zeros(values.shape).masked_scatter(asked, nll),
                MOST_FREQUENT: baselines.nll[values] * asked,
                COPY_LAST: baselines.copied_nll(batch, copies) * asked,
            },
            torch.zeros_like(asked) if knowable is None else knowable,
        )

    def of_cells(self, shape: GridShape) -> Predictions:
        """From elements to grid squares."""
        hidden = shape.cells(self.num_elements)
        return Predictions(
            hidden.sum(dim=-1),
            {name: (shape.cells(right) | (hidden == 0)).all(dim=-1) for name, right in self.right.items()},
            {name: shape.cells(nll).sum(dim=-1) for name, nll in self.nll.items()},
            (hidden > 0).any(dim=-1) & (shape.cells(self.knowable) | (hidden == 0)).all(dim=-1),
        )

    def records(self, chosen: Tensor) -> Tensor:
        """float64 ``[N, len(COLUMNS)]``, one row for each question where ``chosen`` (bool, of their shape) is True."""
        ones = torch.ones_like(self.num_elements)
        known = self.knowable, self.knowable & self.right[MODEL]
        columns = (ones, self.num_elements, *known, *self.right.values(), *self.nll.values())
        return torch.stack([column[chosen].double() for column in columns], dim=-1)
