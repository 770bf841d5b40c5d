"""What makes a model's probabilities of missing values true.

Legend: F frames of a trajectory, P columns of a frame, K questions, V values.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit
from torch import Tensor
from torch.nn import functional

from anyorder.inference.filling import Replies, Table, replies
from anyorder.types import TrajectoryT

SHARPEST, FLATTEST = 0.05, 20.0
"""Bounds of temperatures."""
FEWEST_ANSWERS = 100
"""Answers that a correction is fitted on; with fewer there is none."""
MOST_ANSWERS = 20_000
"""Of each part; more would not make its correction better."""


@dataclass(frozen=True)
class Correction:
    """What makes the probabilities of the values of a part true.

    Attributes:
        temperature: that logits are divided by (temperature scaling, Guo et al., 2017).
        slope, shift: of the log odds that an answer is right (Platt scaling, Platt, 1999).
    """

    temperature: float = 1.0
    slope: float = 1.0
    shift: float = 0.0

    def answers(self, table: Table[TrajectoryT], logits: Tensor, part: int) -> tuple[Tensor, Tensor]:
        """The most probable values, float64 ``[K]``, and their probabilities, float64 ``[K]``, from logits ``[K, V]``."""
        chosen, sure = table.answers(logits / self.temperature, part)
        if (self.slope, self.shift) == (1.0, 0.0):
            return chosen, sure  # certainty stays certain, since a threshold may ask for it
        return chosen, torch.sigmoid(self.slope * _log_odds(sure) + self.shift)


def _log_odds(probability: Tensor) -> Tensor:
    return torch.logit(probability, eps=1e-9)


def fitted_corrections(
    table: Table[TrajectoryT], episodes: Sequence[TrajectoryT], gaps: Sequence[np.ndarray]
) -> dict[int, Correction]:
    """The correction of each part of whose missing values the model is asked: a temperature for values without an order. A
    real number is right if it is near the truth, which no temperature of its bins makes true; there it is a slope and a shift.

    Args:
        table: reads the trajectories.
        episodes: recorded trajectories that the model has not learned from.
        gaps: bool ``[F', P]``, what is missing of the trajectories that are to be filled in: the recorded ones are asked for
            the same, one pattern after the other, repeated along the frames.
    """
    recorded = [table.recorded(one) for one in episodes]
    asked = [repeated(gaps[number % len(gaps)], ~np.isnan(one)) for number, one in enumerate(recorded)]
    known = torch.from_numpy(np.concatenate([one.ravel() for one in recorded]))
    place = Places(table, recorded)
    seen: dict[int, list[tuple[Tensor, Tensor, Tensor]]] = defaultdict(list)
    for found in replies(table, episodes, asked):
        part, value = torch.from_numpy(table.part)[found.column], known[place(found)]
        for number in part.unique().tolist():
            own = part == number
            if sum(len(truth) for _, truth, _ in seen[number]) < MOST_ANSWERS:
                seen[number].append((found.logits[own], found.truth[own], value[own]))
    corrections = {}
    for number, pieces in seen.items():
        logits, truth, value = (torch.cat(one) for one in zip(*pieces))
        if len(truth) < FEWEST_ANSWERS:
            continue
        tolerance = float(table.tolerance[table.part == number].max())
        if tolerance:
            chosen, sure = table.answers(logits, number)
            corrections[number] = platt_scaling(sure, (chosen - value).abs() <= tolerance)
        else:
            corrections[number] = Correction(temperature(logits, truth))
    return corrections


class Places:
    """Where the values of trajectories, one after the other, lie in one flat array.

    Args:
        table: reads the trajectories.
        arrays: ``[F, P]`` of each.

    Attributes:
        ends: int64 ``[1 + number of trajectories]``, where each begins, and the end.
    """

    def __init__(self, table: Table[TrajectoryT], arrays: Sequence[np.ndarray]) -> None:
        self.ends, self._width = np.cumsum([0, *(one.size for one in arrays)]), len(table.part)

    def __call__(self, found: Replies) -> Tensor:
        """int64 ``[K]``, of each question."""
        return torch.from_numpy(self.ends)[found.episode] + found.frame * self._width + found.column


def repeated(gaps: np.ndarray, known: np.ndarray) -> np.ndarray:
    """bool ``[F, P]``: what is missing of another trajectory, bool ``[F', P]``, of one of which ``known``, bool ``[F, P]``, was
    recorded. The last frame of a trajectory has no action, so the pattern is that of the frames before."""
    pattern = gaps[:-1] if len(gaps) > 1 else gaps
    return np.resize(pattern, known.shape) & known


def temperature(logits: Tensor, truth: Tensor) -> float:
    """The temperature at which logits, ``[K, V]``, give the true values, int64 ``[K]``, the lowest negative log-likelihood."""
    logits = logits.double()

    def loss(log_temperature: float) -> float:
        return float(functional.cross_entropy(logits / math.exp(log_temperature), truth))

    bounds = math.log(SHARPEST), math.log(FLATTEST)
    return math.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x)


def platt_scaling(sure: Tensor, right: Tensor) -> Correction:
    """The slope and the shift of the log odds of ``sure``, float64 ``[K]``, that make ``right``, bool ``[K]``, most probable.
    As Platt has it, being right counts as a little less than certain: answers that are all right give no infinite odds."""
    odds, num_right, num_wrong = _log_odds(sure).numpy(), int(right.sum()), int((~right).sum())
    target = np.where(right.numpy(), (num_right + 1) / (num_right + 2), 1 / (num_wrong + 2))

    def loss(line: np.ndarray) -> tuple[float, np.ndarray]:
        fitted = line[0] * odds + line[1]
        wrong = expit(fitted) - target
        return float((np.logaddexp(0, fitted) - target * fitted).mean()), np.array([(wrong * odds).mean(), wrong.mean()])

    slope, shift = minimize(loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=[(0, None), (None, None)]).x
    return Correction(slope=float(slope), shift=float(shift))


def filled_in(
    table: Table[TrajectoryT], episodes: Sequence[TrajectoryT], corrections: Mapping[int, Correction], threshold: float
) -> list[TrajectoryT]:
    """The trajectories with every missing value that the model is sure enough of.

    Args:
        table: reads the trajectories.
        episodes: trajectories.
        corrections: of the parts; none where the model's probabilities stay as they are.
        threshold: what has a lower probability stays absent.
    """
    missing = [table.missing(one) for one in episodes]
    places = Places(table, missing)
    ends, values, sure = places.ends, np.zeros(places.ends[-1]), np.zeros(places.ends[-1], np.float32)
    for found in replies(table, episodes, missing):
        place, part = places(found), torch.from_numpy(table.part)[found.column]
        for number in part.unique().tolist():
            own = part == number
            chosen, probability = corrections.get(number, Correction()).answers(table, found.logits[own], number)
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
