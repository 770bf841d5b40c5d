"""What a cell of a grid can hold: an object, its color and its state, which belong together.

A blue wall, an open ball or a red cell that is out of sight are combinations of values that no environment shows.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from anyorder.envs.minigrid import COLORS, DOOR_STATES, NUM_COLORS, NUM_DIRECTIONS, NUM_OBJECTS, NUM_STATES, OBJECTS
from anyorder.types import Trajectory

Contents = tuple[tuple[int, int, int], ...]
"""Triples of MiniGrid's numbers, each once, in rising order."""
PLAIN_LOOKS = {0: (0, 0), 1: (0, 0), 2: (COLORS.index("grey"), 0)}
"""Color and state that MiniGrid gives to what is unseen, empty or wall."""
_ONE_COLOR = {"goal": "green", "lava": "red", "agent": "red"}
_STATES = {"door": len(DOOR_STATES), "agent": NUM_DIRECTIONS}
_SIZES = np.array([NUM_OBJECTS, NUM_COLORS, NUM_STATES])


def minigrids_contents() -> Contents:
    """All that MiniGrid's own objects look like."""
    found = [(kind, *rest) for kind, rest in PLAIN_LOOKS.items()]
    for kind in range(len(PLAIN_LOOKS), NUM_OBJECTS):
        name = OBJECTS[kind]
        colors = [COLORS.index(_ONE_COLOR[name])] if name in _ONE_COLOR else range(NUM_COLORS)
        found += [(kind, color, state) for color in colors for state in range(_STATES.get(name, 1))]
    return tuple(sorted(found))


def contents_of(trajectories: Iterable[Trajectory]) -> Contents:
    """What occurs in the trajectories, and what MiniGrid has besides."""
    occurs = np.zeros(_SIZES, bool)
    occurs[tuple(np.array(minigrids_contents()).T)] = True
    for trajectory in trajectories:
        cells = trajectory.observations.reshape(-1, 3)
        cells = cells[(cells < _SIZES).all(axis=1)]  # whoever encodes the trajectory refuses the rest
        occurs[tuple(cells.T)] = True
    return tuple((int(kind), int(color), int(state)) for kind, color, state in np.argwhere(occurs))
