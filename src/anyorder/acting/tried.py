"""What was tried in an episode: which actions were taken after an observation like the present one.

Legend: P elements of an observation, N distinct observations.
"""

from __future__ import annotations

import numpy as np

COMMON_SHARE = 1 / 8
"""Two observations can be told apart, or taken for the same, if this share of their elements is known in both."""


class TriedActions:
    """Counts actions by the observation after which they were taken. Two observations are the same if whatever is known in both
    of them agrees, and enough is; so holes that change from step to step do not make the agent forget.

    Args:
        num_actions: A.
    """

    def __init__(self, num_actions: int) -> None:
        self._numbers: dict[bytes, int] = {}
        self._values: list[np.ndarray] = []
        self._known: list[np.ndarray] = []
        self._counts: list[np.ndarray] = []
        self._num_actions, self._whole = num_actions, True

    def add(self, values: np.ndarray, known: np.ndarray, action: int) -> None:
        """An action was taken after an observation: int64 ``[P]``, and bool ``[P]``, True where it is known."""
        number = self._numbers.setdefault(_key(values, known), len(self._numbers))
        if number == len(self._values):
            self._values.append(values.copy())
            self._known.append(known.copy())
            self._counts.append(np.zeros(self._num_actions, np.float32))
            self._whole &= bool(known.all())
        self._counts[number][action] += 1

    def after(self, values: np.ndarray, known: np.ndarray) -> np.ndarray:
        """float32 ``[A]``: how often each action was taken after the same observation; arguments as of `add`."""
        if self._whole and known.all():
            number = self._numbers.get(_key(values, known))
            return np.zeros(self._num_actions, np.float32) if number is None else self._counts[number].copy()
        if not self._values:
            return np.zeros(self._num_actions, np.float32)
        common = np.stack(self._known) & known
        differs = ((np.stack(self._values) != values) & common).any(axis=1)
        same = ~differs & (common.mean(axis=1) >= COMMON_SHARE)
        return np.stack(self._counts)[same].sum(axis=0)


def _key(values: np.ndarray, known: np.ndarray) -> bytes:
    return np.where(known, values, -1).tobytes()
