"""What was tried in an episode in words: which actions were done after an observation like the present one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from anyorder.acting.tried import COMMON_SHARE

ReadWords = tuple[str | None, ...]
"""The words of an observation, None for each that is unknown."""


class TriedTexts:
    """Counts actions by the observation after which they were done. Two observations are the same if they have as many words,
    whatever is known in both of them agrees, and enough is; so words that get lost do not make the agent forget.

    Args:
        counts: observation -> action -> how often it was done.
    """

    def __init__(self, counts: dict[ReadWords, Counter[str]] | None = None) -> None:
        self._counts = counts or {}

    def copy(self) -> TriedTexts:
        """The same memory, which goes on by itself."""
        return TriedTexts({words: Counter(actions) for words, actions in self._counts.items()})

    def add(self, words: ReadWords, action: str) -> None:
        """An action was done after an observation."""
        self._counts.setdefault(words, Counter())[action] += 1

    def after(self, words: ReadWords) -> Counter[str]:
        """How often each action was done after the same observation."""
        found: Counter[str] = Counter()
        for other, actions in self._counts.items():
            if (other == words and None not in words) or _agree(other, words):
                found.update(actions)
        return found


def _agree(one: Sequence[str | None], other: Sequence[str | None]) -> bool:
    """True if as far as they are known in both, and that is far enough, the words are the same."""
    if len(one) != len(other):
        return False
    common = [(a, b) for a, b in zip(one, other) if a is not None and b is not None]
    return all(a == b for a, b in common) and len(common) >= max(1, COMMON_SHARE * len(one))
