"""What each cell of a view shows of the world, as a number: two cells with equal numbers show the same thing in the same state.

The numbers come from playing an episode again. They are what an oracle knows beside the trajectory itself; `knowable` asks
which hidden cells they give away.

Legend: F frames, X columns and Y rows of a view, S = X * Y cells, W columns and H rows of the world.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from minigrid.minigrid_env import MiniGridEnv
from torch import Tensor

from anyorder.elements.layout import part_slices
from anyorder.envs import minigrid
from anyorder.errors import AnyOrderError
from anyorder.evaluation.whereabouts import UNSEEN_OBJECT, places_now
from anyorder.types import Trajectory

import gymnasium as gym  # isort: skip  (after envs.minigrid, which silences what this import prints)

NOTHING = -1
"""The number of a cell of which the oracle knows nothing: out of sight, or empty hands."""
_EMPTY = (1, 0, 0)  # how MiniGrid encodes a place without anything


@dataclass(frozen=True)
class Sights:
    """The sights of a split of a data set.

    Attributes:
        parts: int64 ``[F, S]`` each, of the trajectories in their order, cut as `anyorder.elements.batch.EncodedTrajectories`
            cuts them.
    """

    parts: list[Tensor]

    @classmethod
    def of(cls, trajectories: Sequence[Trajectory], max_frames: int | None = None) -> Sights | None:
        """Play the trajectories again; None where one of them cannot be played as it was recorded, or is not MiniGrid's.

        Args:
            trajectories: with the seeds and the actions of their environments.
            max_frames: longer trajectories are cut into parts of so many frames.
        """
        make, parts = cache(minigrid.make_env), []
        for trajectory in trajectories:
            try:
                seen = sights(trajectory, make(trajectory.env_id))
            except AnyOrderError:
                return None
            if seen is None:
                return None
            whole = torch.from_numpy(seen).flatten(1)
            parts += [whole[part] for part in part_slices(len(whole), max_frames)]
        return cls(parts)

    def batch(self, index: Sequence[int]) -> Tensor:
        """int64 ``[B, F, S]``: the chosen parts, padded with `NOTHING`."""
        return torch.nn.utils.rnn.pad_sequence([self.parts[i] for i in index], batch_first=True, padding_value=NOTHING)


def sights(trajectory: Trajectory, env: gym.Env) -> np.ndarray | None:
    """int64 ``[F, X, Y]``: the number of what each cell shows, or `NOTHING`.

    A place of the world has the same number from the moment its content changes until it changes again: an object that was
    taken away and put back, or a door that was opened and closed, is another thing than before. What the agent carries has a
    number from the moment it is taken, which the agent's own cell shows.

    Args:
        trajectory: the record.
        env: of `anyorder.envs.minigrid.make_env`; it is played again from the trajectory's seed.

    Returns:
        None where the environment is not MiniGrid's, or does not show again what the trajectory recorded.
    """
    if not isinstance(env.unwrapped, MiniGridEnv):
        return None
    numbered, found = _Numbered(), []
    for image, shown in zip(_played_again(env, trajectory), trajectory.observations):
        if not np.array_equal(image, shown):
            return None
        if (now := numbered.view(env.unwrapped, shown)) is None:
            return None
        found.append(now)
    return np.stack(found)


def _played_again(env: gym.Env, trajectory: Trajectory) -> Iterator[np.ndarray]:
    yield minigrid.reset(env, trajectory.seed).image
    for action in trajectory.actions.tolist():
        yield minigrid.read_view(env.step(action)[0]).image


class _Numbered:
    """The places of a world, numbered anew whenever their content changes."""

    def __init__(self) -> None:
        self._content: np.ndarray | None = None  # [H * W, 3], row by row
        self._numbers = np.empty(0, np.int64)
        self._carried: object = None
        self._number_of_carried = NOTHING
        self._next = 0

    def view(self, world: MiniGridEnv, shown: np.ndarray) -> np.ndarray | None:
        """int64 ``[X, Y]``, of a view that shows ``shown``, uint8 ``[X, Y, 3]``; None where the view is another one than that
        of an agent at the bottom middle, looking up."""
        content = np.array([_EMPTY if cell is None else cell.encode() for cell in world.grid.grid], np.uint8)
        self._renumber(content, world.carrying)
        where, size = places_now(world, (shown.shape[0], shown.shape[1])), (world.grid.width, world.grid.height)
        inside = ((where >= 0) & (where < size)).all(axis=-1) & (shown[..., 0] != UNSEEN_OBJECT)
        own = shown.shape[0] // 2, shown.shape[1] - 1
        inside[own] = False
        place = np.where(inside, where[..., 1] * world.grid.width + where[..., 0], 0)
        if (content[place] != shown).any(axis=-1)[inside].any():
            return None
        numbers = np.where(inside, self._numbers[place], NOTHING)
        numbers[own] = self._number_of_carried
        return numbers

    def _renumber(self, content: np.ndarray, carried: object) -> None:
        if self._content is None or len(content) != len(self._content):
            changed, self._numbers = np.ones(len(content), bool), np.empty(len(content), np.int64)
        else:
            changed = (content != self._content).any(axis=1)
        self._numbers[changed] = self._new(int(changed.sum()))
        self._content = content
        if carried is not self._carried:
            self._carried, self._number_of_carried = carried, NOTHING if carried is None else int(self._new(1)[0])

    def _new(self, count: int) -> np.ndarray:
        self._next += count
        return np.arange(self._next - count, self._next)
