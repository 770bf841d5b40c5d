"""Conversations told again with other names for things: a model learns to copy words instead of knowing them by heart.

A world's test tasks may name things that no training task names. A model from random weights was never asked for such a word,
and learns from a few names that there are no others. Where each copy of a conversation has names of its own, only looking back
tells what a thing is called.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from string import ascii_lowercase

import numpy as np

from anyorder.types import TextTrajectory

WORD = re.compile(r"(?<!\w)[^\W\d_]+(?!\w)")
"""Letters alone: numbers, and what is spelled with them (``3ml``), mean more than a name."""
LONGEST_NEW_NAME = 12
"""Letters of a new name."""


def with_renamed(trajectories: Sequence[TextTrajectory], copies: int, common: float, seed: int) -> list[TextTrajectory]:
    """The trajectories, each followed by copies of it in which words have new names, everywhere the same one.

    A copy draws, uniformly, which share of its words has new names. Half of these are the beginning of one word and the end of
    another, so that they have the pieces that words of the language have, and half are letters drawn at random, so that any
    piece may come. A copy says nothing else about its episode (``others``), since that would not be true of it.

    Args:
        trajectories: training data.
        copies: how many; 0 changes nothing.
        common: words that at least this share of the trajectories contains keep their names (0 to 1). Words that stand in
            missions, but in a smaller share of them, do not: an agent has to look them up in its mission.
        seed: of all that is drawn.
    """
    if not copies:
        return list(trajectories)
    rare = _rare_words(trajectories, common)
    found = []
    for number, trajectory in enumerate(trajectories):
        generator = np.random.default_rng([seed, number])
        found += [trajectory, *(_renamed(trajectory, rare, generator) for _ in range(copies))]
    return found


def _words(*texts: str) -> set[str]:
    """Their words in lower case."""
    return {word.lower() for text in texts for word in WORD.findall(text)}


def _rare_words(trajectories: Sequence[TextTrajectory], common: float) -> list[str]:
    """The words that may get new names, in alphabetical order: fewer than this share of the trajectories contain them, or they
    stand in missions, but in fewer than this share."""
    everywhere = Counter(word for one in trajectories for word in _words(*(turn.text for turn in one.turns)))
    in_missions = Counter(word for one in trajectories for word in _words(one.mission))
    return sorted(
        word for word, count in everywhere.items() if min(count, in_missions.get(word, count)) < common * len(trajectories)
    )


def _renamed(trajectory: TextTrajectory, rare: Sequence[str], generator: np.random.Generator) -> TextTrajectory:
    """A copy with new names for some of its rare words."""
    own, share = _words(*(turn.text for turn in trajectory.turns)), generator.random()
    chosen = [word for word in sorted(own.intersection(rare)) if generator.random() < share]
    names: dict[str, str] = {}
    for word in chosen:
        name = _new_name(rare, generator)
        while name in own or name in names.values():
            name = _new_name(rare, generator)
        names[word] = name

    def renamed(match: re.Match[str]) -> str:
        name = names.get(match[0].lower())
        return match[0] if name is None else name.capitalize() if match[0][0].isupper() else name

    turns = (replace(turn, text=WORD.sub(renamed, turn.text)) for turn in trajectory.turns)
    return TextTrajectory(trajectory.source, tuple(turns))


def _new_name(words: Sequence[str], generator: np.random.Generator) -> str:
    """A word that means nothing, of 2 to `LONGEST_NEW_NAME` letters; it may exist."""
    if generator.random() < 0.5:
        first, last = (words[int(place)] for place in generator.integers(len(words), size=2))
        name = first[: generator.integers(1, len(first) + 1)] + last[generator.integers(len(last)) :]
        return name[:LONGEST_NEW_NAME]
    places = generator.integers(len(ascii_lowercase), size=generator.integers(2, LONGEST_NEW_NAME))
    return "".join(ascii_lowercase[place] for place in places)
