"""What can go wrong between a text environment and an agent: words are lost, or whole observations.

The mission, the agent's own actions and what is admissible are never corrupted. What is lost at a step depends on the episode's
seed and the step alone, never on what the agent did before; what a weaker corruption of a kind takes away, a stronger one takes
away too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class ReadText:
    """An observation as it reaches the agent.

    Attributes:
        text: what was said; None where the agent is told that it did not receive it.
        unknown: numbers of the words, from 0, that the agent is told it did not receive. White space separates words.
    """

    text: str | None
    unknown: frozenset[int] = field(default_factory=frozenset)

    @property
    def words(self) -> tuple[str | None, ...]:
        """The words; None for each that is unknown, and a single None for an observation that was not received."""
        if self.text is None:
            return (None,)
        return tuple(None if number in self.unknown else word for number, word in enumerate(self.text.split()))


class TextCorruption(Protocol):
    """From an observation, and a generator of its own, to what reaches the agent."""

    def __call__(self, text: str, generator: np.random.Generator) -> ReadText: ...


@dataclass(frozen=True)
class LostWords:
    """Each word of an observation is lost with a probability, independently; the agent is told which.

    Attributes:
        rate: the probability.
    """

    rate: float

    def __call__(self, text: str, generator: np.random.Generator) -> ReadText:
        lost = generator.random(len(text.split())) < self.rate
        return ReadText(text, frozenset(lost.nonzero()[0].tolist()))


@dataclass(frozen=True)
class LostObservations:
    """A whole observation is lost with a probability, the first one too; the agent is told so.

    Attributes:
        rate: the probability.
    """

    rate: float

    def __call__(self, text: str, generator: np.random.Generator) -> ReadText:
        return ReadText(None if generator.random() < self.rate else text)


@dataclass(frozen=True)
class UntoldText:
    """Another corruption, about which the agent is told nothing: what is lost is simply not there.

    Attributes:
        corruption: the other one.
    """

    corruption: TextCorruption

    def __call__(self, text: str, generator: np.random.Generator) -> ReadText:
        read = self.corruption(text, generator)
        if read.text is None:
            return ReadText("")
        words = enumerate(re.findall(r"\s*\S+|\s+$", read.text))
        return ReadText("".join(word for number, word in words if number not in read.unknown))


TEXT_CORRUPTIONS: Mapping[str, Callable[[float], TextCorruption]] = {"words": LostWords, "observations": LostObservations}
"""Name -> function from a strength, a probability, to the corruption."""
