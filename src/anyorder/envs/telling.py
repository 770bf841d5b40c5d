"""One episode in a text environment as it is played, whoever chooses the actions.

A text environment is one of Gymnasium whose observations and actions are both texts (`gymnasium.spaces.Text`). Its ``info`` may
say:

| key | what |
|---|---|
| ``mission`` | the instruction, at the reset |
| ``admissible`` | the actions that can be done now |
| ``score`` | the progress so far; otherwise the sum of the rewards |
| ``won`` | True at any step is a success; so are ``success``, ``is_success`` and ``solved`` |

The seed of the reset is the number of the task, see `anyorder.envs.splits.task_variation`. An attribute ``variations`` says
how many tasks each split has, if there are only so many. A method ``gold_path()`` gives actions that solve the task of the last
reset. If they may be worded otherwise than what is admissible, a method ``listed_as(action)`` gives the admissible action that
does the same now, or None where it would do nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
from gymnasium import spaces

from anyorder.envs.episode import EpisodeFailed, reason_of
from anyorder.envs.played_text import PlayedText, turns_of_episode
from anyorder.envs.recording import MISSION, SUCCESS_KEYS
from anyorder.envs.splits import SEEDS_PER_SPLIT, SPLIT_OFFSETS
from anyorder.errors import AnyOrderError
from anyorder.parsing import brief
from anyorder.types import Turn

ADMISSIBLE, SCORE, WON = "admissible", "score", "won"
MOST_CHARACTERS_SAID = 1_000_000
"""The longest text that the spaces of the text environments of this package have."""


@dataclass(frozen=True)
class TextView:
    """What a policy is shown at one step.

    Attributes:
        text: the observation.
        admissible: the actions that can be done, sorted; empty where that is not known.
        score: the progress so far.
        mission: the instruction.
        done: the action that led here; None at the reset.
    """

    text: str
    admissible: tuple[str, ...]
    score: float
    mission: str
    done: str | None = None


def is_text_env(env: gym.Env) -> bool:
    """True for an environment that is played in words: its observations and its actions are texts."""
    return isinstance(env.observation_space, spaces.Text) and isinstance(env.action_space, spaces.Text)


def tasks_of(envs: Sequence[gym.Env]) -> dict[str, int]:
    """Split -> how many seeds in a row mean different tasks, where these environments take turns from seed to seed."""
    counts = [env.unwrapped.variations for env in envs if hasattr(env.unwrapped, "variations")]
    every = {split: [math.lcm(one[split], len(envs)) for one in counts] for split in SPLIT_OFFSETS}
    return {split: min(found, default=SEEDS_PER_SPLIT) for split, found in every.items()}


def text_space() -> spaces.Text:
    """The space of all texts of at most `MOST_CHARACTERS_SAID` characters."""
    return spaces.Text(MOST_CHARACTERS_SAID, min_length=0)


class TextEpisode:
    """An episode that begins with a reset.

    Args:
        env: a text environment, see `is_text_env`.
        env_id: as it was given; kept in the record.
        seed: of the reset.

    Attributes:
        views: what was shown so far.
        rewards: one per action.
        terminated: True if the environment ended the episode.
        truncated: True if a limit of steps ended it.

    Raises:
        EpisodeFailed: when the environment raises at its reset, or says what is no text.
        AnyOrderError: when a package is missing.
    """

    def __init__(self, env: gym.Env, env_id: str, seed: int) -> None:
        self.env, self.env_id, self.seed = env, env_id, seed
        self.views: list[TextView] = []
        self.rewards: list[float] = []
        self.terminated = self.truncated = False
        self._said: list[bool] = []
        try:
            observation, info = env.reset(seed=seed)
            found = info.get(MISSION, "")
            self.mission = found if isinstance(found, str) else ""
            self._see(observation, info, None)
        except AnyOrderError:
            raise
        except Exception as error:  # an environment may raise anything
            raise self._failed(reason_of(error)) from error

    @property
    def over(self) -> bool:
        """True if nothing more can be done."""
        return self.terminated or self.truncated

    @property
    def done(self) -> tuple[str, ...]:
        """The actions so far."""
        return tuple(view.done for view in self.views if view.done is not None)

    def turns(self) -> tuple[Turn, ...]:
        """The episode so far, as turns of a conversation."""
        return turns_of_episode(self.mission, [view.text for view in self.views], self.done)

    @property
    def success(self) -> bool | None:
        """What the environment says of the episode so far; None: nothing."""
        return any(self._said) if self._said else None

    def step(self, action: Any) -> TextView:
        """Do an action; returns what is shown then.

        Raises:
            EpisodeFailed: when the action is no text, the environment raises, or it says what cannot be recorded.
        """
        try:
            if not isinstance(action, str):
                raise TypeError(f"an action must be a text; found {type(action).__name__}")
            observation, reward, terminated, truncated, info = self.env.step(action)
            self.rewards.append(_finite(reward, "a reward"))
            self.terminated, self.truncated = bool(terminated), bool(truncated)
            self._see(observation, info, action)
        except Exception as error:  # an environment may raise anything
            raise self._failed(reason_of(error)) from error
        return self.views[-1]

    def trajectory(self) -> PlayedText:
        """The record; there must be at least one action."""
        return PlayedText(
            env_id=self.env_id,
            seed=self.seed,
            mission=self.mission,
            observations=tuple(view.text for view in self.views),
            actions=self.done,
            rewards=tuple(self.rewards),
            scores=tuple(view.score for view in self.views),
            admissible=tuple(view.admissible for view in self.views),
            success=self.success,
            terminated=self.terminated,
            truncated=self.truncated,
        )

    def _see(self, observation: Any, info: Mapping[str, Any], action: str | None) -> None:
        if not isinstance(observation, str):
            raise TypeError(f"an observation must be a text; found {type(observation).__name__}")
        self._said += [bool(info[key]) for key in (WON, *SUCCESS_KEYS) if key in info]
        score = _finite(info.get(SCORE, sum(self.rewards)), "a score")
        self.views.append(TextView(observation, _admissible(info), score, self.mission, action))

    def _failed(self, reason: str) -> EpisodeFailed:
        when = f"at step {max(len(self.views) - 1, 0)}" if self.views else "at its reset"
        return EpisodeFailed(f"the episode of {self.env_id} with seed {self.seed} {when}", reason)


def _finite(value: Any, what: str) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{what} must be a finite number; found {number}")
    return number


def _admissible(info: Mapping[str, Any]) -> tuple[str, ...]:
    found = info.get(ADMISSIBLE, ())
    if isinstance(found, str) or not all(isinstance(action, str) for action in found):
        raise TypeError(f"the admissible actions must be texts; found {brief(found)}")
    return tuple(sorted(set(found)))
