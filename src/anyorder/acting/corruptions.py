"""What can go wrong between an environment and an agent, and what the agent is told of it.

The mission is never corrupted. All draws come from the episode's own generator, as many at every strength (common random
numbers): equal seeds meet equal draws, told or not, and what a weaker corruption of a kind strikes, a stronger one strikes
too.

Legend: X columns and Y rows of a view.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from anyorder.elements.grid import NUM_VALUES
from anyorder.elements.layout import Attribute
from anyorder.envs.minigrid import View

UNSEEN_CELL = (0, 0, 0)
"""How MiniGrid shows a cell that the agent cannot see."""
_SIZES = np.array([NUM_VALUES[a] for a in (Attribute.OBJECT, Attribute.COLOR, Attribute.STATE)])


@dataclass(frozen=True)
class Percept:
    """What reaches the agent of a view.

    Attributes:
        view: possibly corrupted.
        unknown: bool ``[X, Y]``, True where the agent is told that the cell cannot be trusted; None: nowhere.
        unknown_direction: True if it is told that the direction cannot be trusted.
    """

    view: View
    unknown: np.ndarray | None = None
    unknown_direction: bool = False


@dataclass(frozen=True)
class Executed:
    """What became of an action.

    Attributes:
        action: that the environment is given.
        unknown: True if the agent is told that this may not be the one it chose.
    """

    action: int
    unknown: bool = False


class Corruption:
    """Changes nothing; others change what they say."""

    def perceive(self, view: View, last: Percept | None, generator: np.random.Generator) -> Percept:
        """What reaches the agent of a view.

        Args:
            view: what the environment shows.
            last: what reached the agent before; None at the first view.
            generator: of the episode.
        """
        return Percept(view)

    def execute(self, chosen: int, last: int | None, generator: np.random.Generator) -> Executed:
        """What becomes of an action.

        Args:
            chosen: by the agent.
            last: the action that the environment executed before; None at the first one.
            generator: of the episode.
        """
        return Executed(chosen)


@dataclass(frozen=True)
class _Random(Corruption):
    """One that comes with a probability.

    Attributes:
        strength: 0..1.
    """

    strength: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.strength <= 1.0:
            raise ValueError(f"the strength of a corruption is a probability, between 0 and 1; found {self.strength}")


class Occlusion(_Random):
    """Each cell of each view looks unseen, independently with probability ``strength``; told: which ones."""

    def perceive(self, view: View, last: Percept | None, generator: np.random.Generator) -> Percept:
        holes = generator.random(view.image.shape[:2]) < self.strength
        shown = np.where(holes[..., None], np.array(UNSEEN_CELL, dtype=view.image.dtype), view.image)
        return Percept(replace(view, image=shown), holes)


class AttributeFlips(_Random):
    """Object, color and state of each cell become another value of their range, each independently with probability
    ``strength`` and every other value as likely; told: which cells."""

    def perceive(self, view: View, last: Percept | None, generator: np.random.Generator) -> Percept:
        flipped = generator.random(view.image.shape) < self.strength
        others = (view.image + generator.integers(1, _SIZES, size=view.image.shape)) % _SIZES
        shown = np.where(flipped, others, view.image).astype(view.image.dtype)
        return Percept(replace(view, image=shown), np.asarray(flipped.any(axis=-1)))


class DroppedFrames(_Random):
    """Each view but the first, with its direction, is lost with probability ``strength``: the last one that arrived is
    shown again, as a sensor that stalls does; told: all of it is unknown."""

    def perceive(self, view: View, last: Percept | None, generator: np.random.Generator) -> Percept:
        dropped = generator.random() < self.strength
        if last is None or not dropped:
            return Percept(view)
        return Percept(replace(last.view, mission=view.mission), np.ones(view.image.shape[:2], bool), True)


class RepeatedActions(_Random):
    """Sticky actions (Machado et al., 2018): with probability ``strength`` the environment executes the action that it
    executed before instead of the chosen one; told: that the action is unknown."""

    def execute(self, chosen: int, last: int | None, generator: np.random.Generator) -> Executed:
        repeated = generator.random() < self.strength
        return Executed(chosen) if last is None or not repeated else Executed(last, unknown=True)


@dataclass(frozen=True)
class Untold(Corruption):
    """Another corruption of which the agent is told nothing.

    Attributes:
        corruption: the other one.
    """

    corruption: Corruption

    def perceive(self, view: View, last: Percept | None, generator: np.random.Generator) -> Percept:
        return Percept(self.corruption.perceive(view, last, generator).view)

    def execute(self, chosen: int, last: int | None, generator: np.random.Generator) -> Executed:
        return Executed(self.corruption.execute(chosen, last, generator).action)


CORRUPTIONS: Mapping[str, Callable[[float], Corruption]] = {
    "occlusion": Occlusion,
    "attribute_flips": AttributeFlips,
    "dropped_frames": DroppedFrames,
    "repeated_actions": RepeatedActions,
}
"""Name -> the corruption of a strength."""


# The environment draws its level from default_rng(seed), and experts from default_rng([seed, 1]).
_CORRUPTION_STREAM = 2


def corruption_generator(seed: int) -> np.random.Generator:
    """The generator that an episode's corruption draws from: a function of the episode's seed alone."""
    return np.random.default_rng([seed, _CORRUPTION_STREAM])
