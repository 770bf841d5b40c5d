"""One episode as it is played, step by step, whoever chooses the actions; what cannot be recorded is refused at once."""

from __future__ import annotations

import math
import traceback

import numpy as np

from anyorder.envs import minigrid
from anyorder.envs.minigrid import NotMiniGrids, View
from anyorder.errors import AnyOrderError
from anyorder.types import Trajectory

import gymnasium as gym  # isort: skip  (after envs.minigrid, which silences what this import prints)


class EpisodeFailed(AnyOrderError):
    """An episode that the environment broke off, or that cannot be recorded.

    Attributes:
        where: which episode, and when.
        reason: the exception's name and message, or a sentence.
    """

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(where, reason)  # both, so that it can be pickled
        self.where, self.reason = where, reason

    def __str__(self) -> str:
        return f"{self.where} failed ({self.reason}); choose another seed or environment"


class Episode:
    """An episode that begins with a reset.

    Args:
        env: made by `anyorder.envs.minigrid.make_env`.
        env_id: as it was given; kept in the record.
        seed: of the reset.

    Attributes:
        views: what the environment showed so far.
        actions: what was done so far, one less than views.
        rewards: one per action.
        terminated: True if the environment ended the episode.
        truncated: True if the step limit ended it.

    Raises:
        EpisodeFailed: when the environment raises at its reset.
        AnyOrderError: when it cannot be recorded at all, see `anyorder.envs.minigrid.reset`.
    """

    def __init__(self, env: gym.Env, env_id: str, seed: int) -> None:
        self.env, self.env_id, self.seed = env, env_id, seed
        self.views: list[View] = []
        self.actions: list[int] = []
        self.rewards: list[float] = []
        self.terminated = self.truncated = False
        try:
            self.views.append(minigrid.reset(env, seed))
        except AnyOrderError:
            raise
        except Exception as error:  # an environment may raise anything
            raise self._failed(reason_of(error)) from error

    @property
    def over(self) -> bool:
        """True if nothing more can be done."""
        return self.terminated or self.truncated

    def step(self, action: int) -> View:
        """Do an action; returns what the environment shows then.

        Raises:
            EpisodeFailed: when the environment raises, shows what MiniGrid does not have, changes the mission or the size
                of the view, or gives a reward that is no finite number.
        """
        try:
            observation, reward, terminated, truncated, _ = self.env.step(action)
            view, reward = minigrid.read_view(observation), float(reward)
        except Exception as error:  # an environment may raise anything
            raise self._failed(reason_of(error)) from error
        if problem := _problem(self.views[0], view, reward):
            raise self._failed(problem)
        self.terminated, self.truncated = bool(terminated), bool(truncated)
        self.views.append(view)
        self.actions.append(action)
        self.rewards.append(reward)
        return view

    def trajectory(self) -> Trajectory:
        """The record; there must be at least one action."""
        return Trajectory(
            env_id=self.env_id,
            seed=self.seed,
            mission=self.views[0].mission,
            observations=np.array([view.image for view in self.views]),
            directions=np.array([view.direction for view in self.views], np.uint8),
            actions=np.array(self.actions, np.uint8),
            rewards=np.array(self.rewards, np.float32),
            terminated=self.terminated,
            truncated=self.truncated,
        )

    def _failed(self, reason: str) -> EpisodeFailed:
        when = f"at step {len(self.actions)}" if self.views else "at its reset"
        return EpisodeFailed(f"the episode of {self.env_id} with seed {self.seed} {when}", reason)


def _problem(first: View, view: View, reward: float) -> str:
    """What keeps a step from being recorded; empty if nothing does."""
    if view.mission != first.mission:
        return f"the mission must stay the same within an episode; found {view.mission!r} after {first.mission!r}"
    if view.image.shape != first.image.shape:
        return f"the view must keep its size; found {view.image.shape} after {first.image.shape}"
    return "" if math.isfinite(reward) else f"a reward must be a finite number; found {reward}"


def reason_of(error: Exception) -> str:
    """Why an episode failed, in words: the exception's name and message, or what is wrong with an observation."""
    if isinstance(error, NotMiniGrids):
        return str(error)
    # The bot's assertions have no message; then the line of code that failed is the reason.
    frames = traceback.extract_tb(error.__traceback__)
    message = str(error) or (frames[-1].line if frames else "")
    return f"{type(error).__name__}: {message}" if message else type(error).__name__
