"""What can go wrong between an environment and an agent, and what the agent is told about it.

The mission is never corrupted. All draws come from the episode's own generator, and their number does not depend on the
strength (common random numbers). So episodes of equal seeds get equal draws, whether the agent is told or not, and what a
weaker corruption of a kind changes, a stronger one changes too.

Legend: X columns and Y rows of a view.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from anyorder.elements.grid import NUM_VALUES, Attribute
from anyorder.envs.minigrid import View

UNSEEN_CELL = (0, 0, 0)
"""How MiniGrid shows a cell that the agent cannot see."""
_SIZES = np.array([NUM_VALUES[a] for a in (Attribute.OBJECT, Attribute.COLOR, Attribute.STATE)])


@dataclass(frozen=True)
class Percept:
    """A view as the agent receives it.

    Attributes:
        view: what arrives, possibly corrupted.
        unknown: bool ``[X, Y]``, True where the agent is told that the cell cannot be trusted; None: nowhere.
        unknown_direction: True if the agent is told that the direction cannot be trusted.
    """

    view: View
    unknown: np.ndarray | None = None
    unknown_direction: bool = False


@dataclass(frozen=True)
class Executed:
    """The action that the environment executes.

    Attributes:
        action: its number.
        unknown: True if the agent is told that this may not be the action it chose.
    """

    action: int
    unknown: bool = False


class Corruption:
    """Changes nothing. Each subclass overrides what it changes."""

    def perceive(self, view: View, last: Percept | None, generator: np.random.Generator) -> Percept:
        """The view as the agent receives it.

        Args:
            view: what the environment shows.
            last: what the agent received at the step before; None at the first view.
            generator: the episode's own.
        """
        return Percept(view)

    def execute(self, chosen: int, last: int | None, generator: np.random.Generator) -> Executed:
        """The action that the environment executes.

        Args:
            chosen: the action that the agent chose.
            last: the action that the environment executed at the step before; None at the first one.
            generator: the episode's own.
        """
        return Executed(chosen)


@dataclass(frozen=True)
class _Random(Corruption):
    """A corruption that strikes at random.

    Attributes:
        strength: the probability, 0..1.
    """

    strength: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.strength <= 1.0:
            raise ValueError(
                f"the strength of a corruption is a probability and must lie between 0 and 1; found {self.strength}"
            )


class Occlusion(_Random):
    """Each cell of each view looks unseen, independently with probability ``strength``. The agent is told which ones."""

    def perceive(self, view: View, last: Percept | None, generator: np.random.Generator) -> Percept:
        holes = generator.random(view.image.shape[:2]) < self.strength
        shown = np.where(holes[..., None], np.array(UNSEEN_CELL, dtype=view.image.dtype), view.image)
        return Percept(replace(view, image=shown), holes)


class AttributeFlips(_Random):
    """The object, the color and the state of each cell become another value of their range, each independently with
    probability ``strength``; all other values are equally likely. The agent is told which cells changed."""

    def perceive(self, view: View, last: Percept | None, generator: np.random.Generator) -> Percept:
        flipped = generator.random(view.image.shape) < self.strength
        others = (view.image + generator.integers(1, _SIZES, size=view.image.shape)) % _SIZES
        shown = np.where(flipped, others, view.image).astype(view.image.dtype)
        return Percept(replace(view, image=shown), np.asarray(flipped.any(axis=-1)))


class DroppedFrames(_Random):
    """Each view but the first is lost, with its direction, with probability ``strength``: the agent receives the last one
    that arrived again, as from a sensor that stalls. It is told that all of the view is unknown."""

    def perceive(self, view: View, last: Percept | None, generator: np.random.Generator) -> Percept:
        dropped = generator.random() < self.strength
        if last is None or not dropped:
            return Percept(view)
        return Percept(replace(last.view, mission=view.mission), np.ones(view.image.shape[:2], bool), True)


class RepeatedActions(_Random):
    """Sticky actions (Machado et al., 2018): with probability ``strength`` the environment executes the action that it
    executed before instead of the chosen one. The agent is told that the action is unknown."""

    def execute(self, chosen: int, last: int | None, generator: np.random.Generator) -> Executed:
        repeated = generator.random() < self.strength
        return Executed(chosen) if last is None or not repeated else Executed(last, unknown=True)


@dataclass(frozen=True)
class Untold(Corruption):
    """Another corruption, about which the agent is told nothing.

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
"""Name -> function from a strength to the corruption."""


# The environment draws its level from default_rng(seed), and experts from default_rng([seed, 1]).
_CORRUPTION_STREAM = 2


def corruption_generator(seed: int, *step: int) -> np.random.Generator:
    """The generator that an episode's corruption draws from: a function of the episode's seed alone, or of the seed and a
    step."""
    return np.random.default_rng([seed, _CORRUPTION_STREAM, *step])
