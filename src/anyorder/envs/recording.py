"""One episode of any environment as it is played, whoever chooses the actions, for a record of flat arrays.

What counts as success: ``success``, ``is_success`` or ``solved`` in the info of any step; where the environment has none of
these, a return that reaches the ``reward_threshold`` of its registration; where there is no threshold, nothing is said.
The mission is ``mission`` in the info of the reset, or a text of that name in the observation that stays the same.
"""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from anyorder.envs.episode import EpisodeFailed, reason_of
from anyorder.envs.spaces import ACTION, OBSERVATION, flatten, leaves, unflatten
from anyorder.errors import AnyOrderError
from anyorder.parsing import brief
from anyorder.types import FieldTrajectory

SUCCESS_KEYS = ("success", "is_success", "solved")
MISSION = "mission"


class NotOfSpace(ValueError):
    """A value that its space does not have; the message says where and which."""


def flat_record(space: spaces.Space[Any], value: Any, root: str) -> dict[str, np.ndarray]:
    """Path -> a copy of the leaf's value as an array of the space's shape and dtype (of a text: a string without shape).

    Args:
        space: of the environment.
        value: an observation or an action.
        root: `OBSERVATION` or `ACTION`.

    Raises:
        NotOfSpace: for a value of another form, another shape, or another category. Numbers beyond the bounds of a Box pass.
    """
    try:
        found = flatten(space, value, root)
    except (KeyError, IndexError, TypeError) as error:
        raise NotOfSpace(f"the {root} must have the form of {brief(space)}; found {brief(value)}") from error
    return {path: _of_leaf(path, leaf, found[path]) for path, leaf in leaves(space, root).items()}


def _of_leaf(path: str, leaf: spaces.Space[Any], value: Any) -> np.ndarray:
    if isinstance(leaf, spaces.Text):
        if not isinstance(value, str):
            raise NotOfSpace(f"{path} must be a text; found {type(value).__name__}")
        return np.array(value)
    array = np.asarray(value)
    if array.shape != leaf.shape or array.dtype.kind not in "biuf":
        found = f"{array.dtype} {list(array.shape)}"
        raise NotOfSpace(f"{path} must have numbers in the shape {list(leaf.shape or ())}; found {found}")
    with np.errstate(invalid="ignore"):  # what does not fit is refused below
        cast = array.astype(leaf.dtype)  # a copy, since environments use their arrays again
    if cast.dtype.kind != "f" and not np.array_equal(cast, array):
        raise NotOfSpace(f"{path} must have numbers of {cast.dtype}; found {brief(value)}")
    if not isinstance(leaf, spaces.Box) and not leaf.contains(cast):
        raise NotOfSpace(f"{path} must lie in {brief(leaf)}; found {brief(value)}")
    return cast


def action_done(space: spaces.Space[Any], action: Any) -> dict[str, np.ndarray]:
    """Path -> what is done of an action: the same, but within the bounds of each Box.

    Raises:
        NotOfSpace: see `flat_record`; and for a number that is not finite.
    """
    record = flat_record(space, action, ACTION)
    for path, leaf in leaves(space, ACTION).items():
        if isinstance(leaf, spaces.Box):
            if not np.isfinite(record[path]).all():
                raise NotOfSpace(f"{path} must have finite numbers; found {brief(action)}")
            record[path] = np.clip(record[path], leaf.low, leaf.high)
    return record


def as_given(space: spaces.Space[Any], record: Mapping[str, np.ndarray], root: str) -> Any:
    """The observation or action of a record, in the form of ``space.sample()``."""
    values = {path: _as_sampled(leaf, record[path]) for path, leaf in leaves(space, root).items()}
    return unflatten(space, values, root)


def _as_sampled(leaf: spaces.Space[Any], value: np.ndarray) -> Any:
    if isinstance(leaf, spaces.Text):
        return str(value)
    return value[()] if isinstance(leaf, spaces.Discrete) else value


class FieldEpisode:
    """An episode that begins with a reset.

    Args:
        env: of any kind, see `anyorder.envs.making.make_environments`.
        env_id: as it was given; kept in the record.
        seed: of the reset.

    Attributes:
        views: the observations so far, in the dtype of their space; an environment may use its own arrays again.
        actions: what was done so far, path -> array for each, one less than views.
        rewards: one per action.
        terminated: True if the environment ended the episode.
        truncated: True if a limit of steps ended it.
        mission: the instruction; empty where there is none.

    Raises:
        EpisodeFailed: when the environment raises at its reset.
        AnyOrderError: when its observations are not of its space, or a package is missing.
    """

    def __init__(self, env: gym.Env, env_id: str, seed: int) -> None:
        self.env, self.env_id, self.seed = env, env_id, seed
        self.views: list[Any] = []
        self.actions: list[dict[str, np.ndarray]] = []
        self.rewards: list[float] = []
        self.terminated = self.truncated = False
        self._records: list[dict[str, np.ndarray]] = []
        self._ends: list[tuple[bool, bool]] = []
        self._said: list[bool] = []
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                observation, info = env.reset(seed=seed)
            self._see(observation)
        except NotOfSpace as error:
            raise AnyOrderError(f"{error}, in {env_id!r}; choose another environment, or wrap this one") from error
        except (ImportError, gym.error.DependencyNotInstalled) as error:
            raise AnyOrderError(
                f"{env_id!r} needs a package that is not installed ({error}); install it, or choose another environment"
            ) from error
        except Exception as error:  # an environment may raise anything
            raise self._failed(reason_of(error)) from error
        self.mission = _mission(info, self._records[0])

    @property
    def over(self) -> bool:
        """True if nothing more can be done."""
        return self.terminated or self.truncated

    @property
    def success(self) -> bool | None:
        """What is said of the episode so far, see the top of this file; None: nothing."""
        if self._said:
            return any(self._said)
        threshold = self.env.spec.reward_threshold if self.env.spec else None
        return None if threshold is None else sum(self.rewards) >= threshold

    @property
    def records(self) -> Sequence[Mapping[str, np.ndarray]]:
        """The observations so far, path -> array."""
        return self._records

    @property
    def last_record(self) -> dict[str, np.ndarray]:
        """The last observation, path -> array."""
        return self._records[-1]

    def step(self, action: Any) -> Any:
        """Do an action; returns what the environment shows then.

        Raises:
            EpisodeFailed: when the action or the observation is not of its space, the environment raises, or it gives a
                reward that is no finite number.
        """
        try:
            record = action_done(self.env.action_space, action)
            given = as_given(self.env.action_space, record, ACTION)
            observation, reward, terminated, truncated, info = self.env.step(given)
            reward = float(reward)
            if not math.isfinite(reward):
                raise NotOfSpace(f"a reward must be a finite number; found {reward}")
            self._see(observation)
        except NotOfSpace as error:
            raise self._failed(str(error)) from error
        except Exception as error:  # an environment may raise anything
            raise self._failed(reason_of(error)) from error
        self.terminated, self.truncated = bool(terminated), bool(truncated)
        self.actions.append(record)
        self.rewards.append(reward)
        self._ends.append((self.terminated, self.truncated))
        self._said += [bool(info[key]) for key in SUCCESS_KEYS if key in info]
        return self.views[-1]

    def trajectory(self) -> FieldTrajectory:
        """The record; there must be at least one action."""
        terminations, truncations = np.array(self._ends, np.bool_).T.copy()
        observations = _stacked(self._records)
        written = observations.get(MISSION_LEAF, np.zeros(1))
        return FieldTrajectory(
            env_id=self.env_id,
            seed=self.seed,
            observations=observations,
            actions=_stacked(self.actions),
            rewards=np.array(self.rewards, np.float64),
            terminations=terminations,
            truncations=truncations,
            mission=self.mission if (written == written[0]).all() else "",
            success=self.success,
        )

    def _see(self, observation: Any) -> None:
        space = self.env.observation_space
        self._records.append(flat_record(space, observation, OBSERVATION))
        self.views.append(as_given(space, self._records[-1], OBSERVATION))

    def _failed(self, reason: str) -> EpisodeFailed:
        when = f"at step {len(self.actions)}" if self._records else "at its reset"
        return EpisodeFailed(f"the episode of {self.env_id} with seed {self.seed} {when}", reason)


MISSION_LEAF = f"{OBSERVATION}/{MISSION}"
"""Path of a leaf that is called mission, since the name is reserved (`anyorder.envs.spaces`)."""


def _mission(info: Mapping[str, Any], first: Mapping[str, np.ndarray]) -> str:
    written = first.get(MISSION_LEAF, np.array(0))
    found = info.get(MISSION, str(written) if written.dtype.kind == "U" else "")
    return found if isinstance(found, str) else ""


def _stacked(records: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {path: np.array([record[path] for record in records]) for path in records[0]}
