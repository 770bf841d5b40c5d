"""What is lost of recorded episodes: data as cameras without controllers, or broken sensors, would give them.

Lost values are absent: the arrays hold zeros there, so nothing of the truth is left in the data set.

Legend: T actions, T+1 observations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np

from anyorder.errors import AnyOrderError
from anyorder.types import FieldTrajectory, Trajectory, TrajectoryT, without_mission

MOST_IN_CELL = 4
"""Arrays of so many numbers at most for each place of a plane are planes of cells, as of `anyorder.elements.fitting`."""


@dataclass(frozen=True)
class Damage:
    """Shares of what is lost, each independently of everything else; an episode's seed decides what is.

    Attributes:
        actions: of the actions.
        cells: of the cells of observations: a square of a grid with all of its attributes, a direction, a number.
        frames: of whole observations.
        missions: of the episodes' instructions.
    """

    actions: float = 0.0
    cells: float = 0.0
    frames: float = 0.0
    missions: float = 0.0

    def __post_init__(self) -> None:
        for name, rate in asdict(self).items():
            if not 0 <= rate <= 1:
                raise AnyOrderError(f"without.{name} is the share that is lost, between 0 and 1; found {rate}")

    @classmethod
    def of(cls, without: str | list[str] | Mapping[str, float] | None) -> Damage:
        """From an option's value: names of what is lost altogether, or name -> the share that is lost.

        Raises:
            AnyOrderError: for another name or share.
        """
        named = [without] if isinstance(without, str) else without or {}
        rates = dict(named) if isinstance(named, Mapping) else dict.fromkeys(named, 1.0)
        known = [one.name for one in fields(cls)]
        if unknown := [name for name in rates if name not in known]:
            raise AnyOrderError(f"without must name {', '.join(known)}, such as {{cells: 0.3}}; found {unknown[0]!r}")
        return cls(**rates)

    @property
    def rates(self) -> dict[str, float]:
        """Name -> share, of what is lost at all."""
        return {name: rate for name, rate in asdict(self).items() if rate}

    def __call__(self, episode: TrajectoryT) -> TrajectoryT:
        """The episode without what is lost of it. What was absent before stays so."""
        chance = {one.name: np.random.default_rng([number, episode.seed % 2**64]) for number, one in enumerate(fields(self))}
        observed, acted = _arrays_of(episode)
        frames = chance["frames"].random(len(episode) + 1) < self.frames
        actions = chance["actions"].random(len(episode)) < self.actions
        lost = {
            path: _over(frames, array) | (chance["cells"].random(_cells(array)) < self.cells)
            for path, array in observed.items()
        }
        lost |= {path: np.broadcast_to(_over(actions, array), array.shape) for path, array in acted.items()}
        found = _without(episode, {path: where for path, where in lost.items() if where.any()})
        return _without_mission(found) if chance["missions"].random() < self.missions else found


def _arrays_of(episode: Trajectory | FieldTrajectory) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Name -> array, of what is observed but instructions, and of the actions."""
    if isinstance(episode, Trajectory):
        return {"observations": episode.observations, "directions": episode.directions}, {"actions": episode.actions}
    return {path: a for path, a in episode.observations.items() if not _instructs(episode, a)}, dict(episode.actions)


def _instructs(episode: FieldTrajectory, array: np.ndarray) -> bool:
    return array.dtype.kind == "U" and bool((array == episode.mission).all())


def _over(steps: np.ndarray, array: np.ndarray) -> np.ndarray:
    """bool ``[T', 1, ...]`` with as many axes as the array."""
    return steps.reshape(-1, *[1] * (array.ndim - 1))


def _cells(array: np.ndarray) -> tuple[int, ...]:
    """The shape of an array's cells."""
    in_plane = array.ndim == 4 and array.dtype.kind in "iu" and array.shape[-1] <= MOST_IN_CELL
    return (*array.shape[:-1], 1) if in_plane else array.shape


def _without(episode: TrajectoryT, lost: Mapping[str, np.ndarray]) -> TrajectoryT:
    """The episode without the values where ``lost``, name -> bool, is True."""
    if not lost:
        return episode
    observed, acted = _arrays_of(episode)
    arrays = {**observed, **acted}
    whole = {name: np.broadcast_to(where, arrays[name].shape) for name, where in lost.items()}
    kept: dict[str, Any] = {
        name: np.where(where, np.zeros((), arrays[name].dtype), arrays[name]) for name, where in whole.items()
    }
    absent = {**episode.absent, **{name: where | episode.absent.get(name, False) for name, where in whole.items()}}
    filled = {
        name: np.where(whole[name], np.float32(0), sure) if name in whole else sure for name, sure in episode.filled.items()
    }
    if isinstance(episode, Trajectory):
        return replace(episode, **kept, absent=absent, filled=filled)
    observations, actions = (
        {path: kept.get(path, array) for path, array in part.items()} for part in (episode.observations, episode.actions)
    )
    return replace(episode, observations=observations, actions=actions, absent=absent, filled=filled)


def _without_mission(episode: TrajectoryT) -> TrajectoryT:
    if isinstance(episode, Trajectory):
        return replace(episode, mission="", filled=without_mission(episode.filled))
    texts = {path: array for path, array in episode.observations.items() if _instructs(episode, array)}
    absent = {**episode.absent, **{path: np.ones(array.shape, np.bool_) for path, array in texts.items()}}
    empty = {path: np.zeros_like(array) for path, array in texts.items()}
    return replace(episode, mission="", observations={**episode.observations, **empty}, absent=absent)
