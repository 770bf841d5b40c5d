"""What happened in one episode, as immutable records: in a grid (`Trajectory`), in words (`TextTrajectory`), or in any
environment of Gymnasium (`FieldTrajectory`).

Legend: T actions, T+1 observations, X columns and Y rows of the agent's view.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np


@dataclass(frozen=True, eq=False)
class Trajectory:
    """One episode in a grid, checked when it is made. Its arrays become read-only.

    Attributes:
        env_id: registered gymnasium id.
        seed: the seed given to ``env.reset``.
        mission: MiniGrid's instruction string.
        observations: uint8 ``[T+1, X, Y, 3]``, column first as MiniGrid gives them; the last axis is (object, color,
            state); the first observation follows ``reset``, the last one follows the last action.
        directions: uint8 ``[T+1]``, 0..3, where the agent faces (0 is east, clockwise).
        actions: uint8 ``[T]``, T >= 1.
        rewards: float32 ``[T]``.
        terminated: True if the environment ended the episode.
        truncated: True if the step limit ended it.
        absent: name of an array (`GRID_ARRAYS`) -> bool in its shape, True where a value was not recorded; what the array holds
            there means nothing. A mission that was not recorded is empty.
        filled: name of an array -> float32 in its shape: where a model filled a value in, the probability that it is right,
            above 0; 0 where the value was recorded. `FILLED_MISSION` -> float32 ``[1]``: the same of a mission.

    Raises:
        ValueError: its message names the shape or dtype that was expected and the one that was found.
    """

    env_id: str
    seed: int
    mission: str
    observations: np.ndarray
    directions: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    terminated: bool
    truncated: bool
    absent: Mapping[str, np.ndarray] = field(default_factory=dict)
    filled: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        num_actions = len(self.actions)
        if num_actions < 1:
            raise ValueError("a trajectory must have at least one action; found none")
        if self.observations.ndim != 4 or self.observations.shape[-1] != 3:
            raise ValueError(f"observations must have shape [T+1, X, Y, 3]; found {self.observations.shape}")
        for name, dtype, length in (
            ("observations", np.uint8, num_actions + 1),
            ("directions", np.uint8, num_actions + 1),
            ("actions", np.uint8, num_actions),
            ("rewards", np.float32, num_actions),
        ):
            array = getattr(self, name)
            if len(array) != length:
                raise ValueError(
                    f"{num_actions} actions must come with {length} {name}; found {len(array)} (T actions, T+1 observations)"
                )
            if array.dtype != dtype:
                raise ValueError(f"{name} must have dtype {np.dtype(dtype)}; found {array.dtype}")
            array.flags.writeable = False
        recorded = {name: getattr(self, name) for name in GRID_ARRAYS}
        said = {FILLED_MISSION: np.zeros(1)} if self.mission and FILLED_MISSION not in self.absent else {}
        _check_gaps(recorded | said, self.absent, self.filled)
        for name in ("absent", "filled"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    def __reduce__(self) -> tuple[Callable[[], Trajectory], tuple[()]]:
        # A read-only mapping cannot be pickled; the record is made, and checked, anew.
        values: dict[str, Any] = vars(self) | {"absent": dict(self.absent), "filled": dict(self.filled)}
        return partial(Trajectory, **values), ()

    def __len__(self) -> int:
        """Number of actions T."""
        return len(self.actions)

    @property
    def success(self) -> bool:
        """True if the environment ended the episode with a positive reward."""
        return bool(self.terminated and self.rewards[-1] > 0)


FILLED_MISSION = "mission"
"""Key of `Trajectory.filled` for an instruction that a model filled in."""
GRID_ARRAYS = ("observations", "directions", "actions")
"""Arrays of a `Trajectory` of which a part may be absent or filled in."""


def _check_gaps(recorded: Mapping[str, np.ndarray], absent: Mapping[str, np.ndarray], filled: Mapping[str, np.ndarray]) -> None:
    """Raise a ValueError unless both say something of these arrays, in their shapes; both become read-only."""
    for name, where in absent.items():
        if name not in recorded or where.shape != recorded[name].shape or where.dtype != np.bool_:
            raise ValueError(f"what is absent must be bool in the shape of a recorded path; found {name!r} {where.shape}")
    for name, sure in filled.items():
        if name not in recorded or sure.shape != recorded[name].shape or sure.dtype != np.float32:
            raise ValueError(f"what is filled in must be float32 in the shape of a path; found {name!r} {sure.shape}")
        if not bool(((sure >= 0) & (sure <= 1)).all()) or (name in absent and bool((absent[name] & (sure > 0)).any())):
            raise ValueError(f"a filled value must have a probability of at most 1 and not be absent; {name!r} has another one")
    for array in (*absent.values(), *filled.values()):
        array.flags.writeable = False


PARTS = ("mission", "observation", "action")
"""The parts that a conversation is made of; every turn belongs to one."""


@dataclass(frozen=True)
class Turn:
    """One turn of a conversation.

    Attributes:
        part: one of `PARTS`; instructions, and the agent's acknowledgement of them, are ``mission``.
        role: who speaks: ``system``, ``user``, ``assistant`` or ``tool``.
        text: what is said; may be empty.
        asked: True if a model may be asked for the text while it is hidden; always False for a mission.
    """

    part: str
    role: str
    text: str
    asked: bool

    def __post_init__(self) -> None:
        if self.part not in PARTS:
            raise ValueError(f"the part of a turn must be one of {', '.join(PARTS)}; found {self.part!r}")
        if not self.role or not isinstance(self.role, str) or not isinstance(self.text, str):
            raise ValueError(
                f"a turn must have a role and a text; found the role {self.role!r} and {type(self.text).__name__} as text"
            )
        if self.asked and self.part == "mission":
            raise ValueError("a mission must not be asked about; found one with asked=True")


@dataclass(frozen=True)
class TextTrajectory:
    """One episode in words, checked when it is made.

    Attributes:
        source: where the episode comes from, such as ``file.jsonl:12``.
        turns: the mission's turns, then observations and actions in alternation, beginning with either; at least one
            action, and at least one turn that is asked about.
        others: what else the source says about the episode: the text of a JSON object.

    Raises:
        ValueError: its message names what was expected and what was found.
    """

    source: str
    turns: tuple[Turn, ...]
    others: str = "{}"

    def __post_init__(self) -> None:
        parts = [turn.part for turn in self.turns]
        episode = parts[parts.count("mission") :]
        if "mission" in episode:
            raise ValueError(f"the mission must come first; found {', '.join(parts)}")
        if twice := [a for a, b in itertools.pairwise(episode) if a == b]:
            raise ValueError(f"observations and actions must alternate; found two {twice[0]}s in a row")
        if "action" not in episode:
            raise ValueError("a trajectory must have at least one action; found none")
        if not any(turn.asked for turn in self.turns):
            raise ValueError("at least one turn must be asked about; found none")

    def __len__(self) -> int:
        """Number of actions T."""
        return sum(turn.part == "action" for turn in self.turns)

    @property
    def mission(self) -> str:
        """All that is said before the episode: the texts of its turns, with a blank line between two."""
        return "\n\n".join(turn.text for turn in self.turns if turn.part == "mission")

    @property
    def steps(self) -> tuple[int, ...]:
        """The step of each turn: -1 for the mission; an observation and the action that answers it have the same step."""
        steps, step = [], 0
        for turn in self.turns:
            steps.append(-1 if turn.part == "mission" else step)
            step += turn.part == "action"
        return tuple(steps)


ARRAY_ROLES = ("observations", "actions", "absent", "filled", "infos")
"""Attributes of a `FieldTrajectory` that map paths to arrays."""


@dataclass(frozen=True, eq=False)
class FieldTrajectory:
    """One episode of any Gymnasium environment, checked when it is made. Its arrays become read-only.

    The names are those of Minari's ``EpisodeData``. A *path* names a leaf of the observation or action space
    (`anyorder.envs.spaces`): ``observation`` or ``a/b`` for observations, ``action`` or ``action/a`` for actions.

    Attributes:
        env_id: registered gymnasium id, ``module:id``, or the name of the data set that the episode comes from.
        seed: the seed given to ``env.reset``, or the number of the episode in its source.
        observations: path -> ``[T+1, ...]`` in the space's dtype (numpy strings for texts); the first observation follows
            ``reset``, the last one follows the last action.
        actions: path -> ``[T, ...]``; without entries where no action was recorded.
        rewards: float64 ``[T]``.
        terminations: bool ``[T]``, True where the environment ended the episode.
        truncations: bool ``[T]``, True where a limit from outside ended it.
        mission: the instruction; empty where there is none.
        success: what the environment says of the episode; None where it says nothing.
        absent: path -> bool, in the shape of the path's array, True where a value was not recorded. NaN is absent, too.
        filled: path -> float32 in the shape of the path's array: where a model filled a value in, the probability that it is
            right, above 0 (of a real number: that it is off by less than a tenth of its standard deviation); 0 elsewhere.
        infos: path -> ``[T+1, ...]`` or ``[T, ...]``; kept, but never an element of a trajectory.

    Raises:
        ValueError: its message names the array, what was expected and what was found.
    """

    env_id: str
    seed: int
    observations: Mapping[str, np.ndarray]
    actions: Mapping[str, np.ndarray]
    rewards: np.ndarray
    terminations: np.ndarray
    truncations: np.ndarray
    mission: str = ""
    success: bool | None = None
    absent: Mapping[str, np.ndarray] = field(default_factory=dict)
    filled: Mapping[str, np.ndarray] = field(default_factory=dict)
    infos: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        num_actions = len(self.rewards)
        if num_actions < 1:
            raise ValueError("a trajectory must have at least one action; found none")
        for name, dtype in (("rewards", np.float64), ("terminations", np.bool_), ("truncations", np.bool_)):
            array = getattr(self, name)
            if array.shape != (num_actions,) or array.dtype != dtype:
                raise ValueError(f"{name} must be {np.dtype(dtype)} [{num_actions}]; found {array.dtype} {list(array.shape)}")
        for names, length in ((self.observations, num_actions + 1), (self.actions, num_actions)):
            for path, array in names.items():
                if len(array) != length:
                    raise ValueError(f"{path} must have {length} entries (T actions, T+1 observations); found {len(array)}")
        recorded = {**self.observations, **self.actions}
        _check_gaps(recorded, self.absent, self.filled)
        for name in ARRAY_ROLES:
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))
        for array in (*recorded.values(), self.rewards, self.terminations, self.truncations):
            array.flags.writeable = False

    def __reduce__(self) -> tuple[Callable[[], FieldTrajectory], tuple[()]]:
        # A read-only mapping cannot be pickled; the record is made, and checked, anew.
        values: dict[str, Any] = vars(self) | {name: dict(getattr(self, name)) for name in ARRAY_ROLES}
        return partial(FieldTrajectory, **values), ()

    def __len__(self) -> int:
        """Number of actions T."""
        return len(self.rewards)


TrajectoryT = TypeVar("TrajectoryT", bound=Trajectory | FieldTrajectory)


def as_recorded(episode: TrajectoryT) -> TrajectoryT:
    """The episode as it was recorded: what a model filled in is absent, so that nobody takes it for the truth."""
    if not episode.filled:
        return episode
    if isinstance(episode, Trajectory) and FILLED_MISSION in episode.filled:
        episode = replace(episode, mission="", filled=without_mission(episode.filled))
    filled = {name: sure > 0 for name, sure in episode.filled.items()}
    absent = {name: where | filled[name] if name in filled else where for name, where in episode.absent.items()}
    absent = {**filled, **absent}
    return replace(episode, absent=absent, filled={})


def without_mission(filled: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What is said of arrays alone, of `Trajectory.filled`."""
    return {name: sure for name, sure in filled.items() if name != FILLED_MISSION}
