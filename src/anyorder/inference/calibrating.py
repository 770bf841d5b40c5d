"""Temperatures that make a model's probabilities of missing values true (temperature scaling, Guo et al., 2017).

Legend: F frames of a trajectory, P columns of a frame, K questions, V values.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from anyorder.inference.filling import Table, replies
from anyorder.types import TrajectoryT

SHARPEST, FLATTEST = 0.05, 20.0
"""Bounds of temperatures."""
FEWEST_ANSWERS = 100
"""Answers that a temperature is fitted on; with fewer it stays 1."""
MOST_ANSWERS = 20_000
"""Of each part; more would not make its temperature better."""


def fitted_temperatures(
    table: Table[TrajectoryT], episodes: Sequence[TrajectoryT], gaps: Sequence[np.ndarray]
) -> dict[int, float]:
    """The temperature of each part of whose missing values the model is asked.

    Args:
        table: reads the trajectories.
        episodes: recorded trajectories that the model has not learned from.
        gaps: bool ``[F', P]``, what is missing of the trajectories that are to be filled in: the recorded ones are asked for
            the same, one pattern after the other, repeated along the frames.
    """
    asked = [repeated(gaps[number % len(gaps)], ~np.isnan(table.recorded(one))) for number, one in enumerate(episodes)]
    logits: dict[int, list[Tensor]] = defaultdict(list)
    truth: dict[int, list[Tensor]] = defaultdict(list)
    for found in replies(table, episodes, asked):
        part = torch.from_numpy(table.part)[found.column]
        for number in part.unique().tolist():
            if sum(map(len, truth[number])) < MOST_ANSWERS:
                logits[number].append(found.logits[part == number])
                truth[number].append(found.truth[part == number])
    pairs = {number: (torch.cat(logits[number]), torch.cat(truth[number])) for number in logits}
    return {number: temperature(*pair) for number, pair in pairs.items() if len(pair[1]) >= FEWEST_ANSWERS}


def repeated(gaps: np.ndarray, known: np.ndarray) -> np.ndarray:
    """bool ``[F, P]``: what is missing of another trajectory, bool ``[F', P]``, of one of which ``known``, bool ``[F, P]``, was
    recorded. The last frame of a trajectory has no action, so the pattern is that of the frames before."""
    pattern = gaps[:-1] if len(gaps) > 1 else gaps
    return np.resize(pattern, known.shape) & known


def temperature(logits: Tensor, truth: Tensor) -> float:
    """The temperature at which logits, ``[K, V]``, give the true values, int64 ``[K]``, the lowest negative log-likelihood: a
    convex function of its inverse, whose minimum a golden section search finds."""
    logits, ratio = logits.double(), (5**0.5 - 1) / 2
    low, high = 1 / FLATTEST, 1 / SHARPEST

    def loss(sharpness: float) -> float:
        return float(functional.cross_entropy(logits * sharpness, truth))

    left, right = high - ratio * (high - low), low + ratio * (high - low)
    at_left, at_right = loss(left), loss(right)
    while high - low > 1e-3:
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - ratio * (high - low)
            at_left = loss(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + ratio * (high - low)
            at_right = loss(right)
    return 2 / (low + high)


def filled_in(
    table: Table[TrajectoryT], episodes: Sequence[TrajectoryT], temperatures: Mapping[int, float], threshold: float
) -> list[TrajectoryT]:
    """The trajectories with every missing value that the model is sure enough of.

    Args:
        table: reads the trajectories.
        episodes: trajectories.
        temperatures: of the parts; 1 where there is none.
        threshold: what has a lower probability stays absent.
    """
    missing = [table.missing(one) for one in episodes]
    ends = np.cumsum([0, *(where.size for where in missing)])
    values, sure = np.zeros(ends[-1]), np.zeros(ends[-1], np.float32)
    for found in replies(table, episodes, missing):
        place = torch.from_numpy(ends)[found.episode] + found.frame * len(table.part) + found.column
        part = torch.from_numpy(table.part)[found.column]
        for number in part.unique().tolist():
            own = part == number
            chosen, probability = table.answers(found.logits[own] / temperatures.get(number, 1.0), number)
            kept = probability >= threshold
            values[place[own][kept]], sure[place[own][kept]] = chosen[kept], probability[kept].clamp(max=1.0)
    completed = []
    for one, where, first, end in zip(episodes, missing, ends, ends[1:]):
        own = slice(first, end)
        filled = bool(sure[own].any())
        completed.append(
            table.completed(one, values[own].reshape(where.shape), sure[own].reshape(where.shape)) if filled else one
        )
    return completed
