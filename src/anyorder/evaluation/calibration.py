"""Whether a model is right as often as it says.

Legend: N predictions, M bins.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

NUM_BINS = 15


@dataclass(frozen=True)
class Bin:
    """The predictions whose confidence lies in ``(low, high]``; both means are None where there are no predictions.

    Attributes:
        low, high: bounds.
        count: number of predictions.
        mean_confidence: mean of the probabilities that the model gave its answers.
        accuracy: the share of its answers that were right.
    """

    low: float
    high: float
    count: int
    mean_confidence: float | None
    accuracy: float | None


@dataclass(frozen=True)
class Calibration:
    """The expected calibration error (Guo et al., 2017, equation 5) over all elements that were asked for.

    A prediction's confidence is the probability of the most probable value. It must not be taken over elements that are
    chosen by their true value (objects, changed cells): among those even a calibrated model is right less often than it
    says.

    Attributes:
        expected_calibration_error: the mean over predictions of ``|accuracy - mean confidence|`` of their bins.
        count: number of predictions.
        mean_confidence, accuracy: over all predictions.
        bins: M = 15 bins of equal width, as in Guo et al.
    """

    expected_calibration_error: float
    count: int
    mean_confidence: float
    accuracy: float
    bins: list[Bin]


class ConfidenceSums:
    """Sums over predictions in each bin, to which batches are added one by one."""

    def __init__(self) -> None:
        self._sums = torch.zeros(NUM_BINS, 3, dtype=torch.float64)

    def add(self, confidence: Tensor, right: Tensor) -> None:
        """Add predictions: ``confidence`` is float ``[N]`` in [0, 1], ``right`` bool ``[N]``."""
        confidence = confidence.double().cpu()
        number = ((confidence * NUM_BINS).ceil().long() - 1).clamp(0, NUM_BINS - 1)
        columns = torch.stack([torch.ones_like(confidence), confidence, right.double().cpu()], dim=1)
        self._sums.index_add_(0, number, columns)

    def calibration(self) -> Calibration:
        """The calibration of everything added so far.

        Raises:
            ValueError: if nothing was added.
        """
        count, confidence, right = self._sums.sum(dim=0).tolist()
        if count == 0:
            raise ValueError("a calibration must have at least one prediction; found none; add some first")
        # A bin's count times the gap of its means is the gap of its sums.
        gaps = float((self._sums[:, 1] - self._sums[:, 2]).abs().sum())
        bins = [_bin(*entry) for entry in enumerate(self._sums.tolist())]
        return Calibration(gaps / count, int(count), confidence / count, right / count, bins)


def _bin(number: int, sums: list[float]) -> Bin:
    count, confidence, right = sums
    means = (confidence / count, right / count) if count else (None, None)
    return Bin(number / NUM_BINS, (number + 1) / NUM_BINS, int(count), *means)
