"""Episodes for the page: recorded ones, ones played to their end, and ones that go on.

Legend: F frames, X columns and Y rows of the agent's view.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from torch import nn

from anyorder.data.batch import Batch
from anyorder.data.episodes import ExpertSource
from anyorder.data.grid import Encoded, collate, encode
from anyorder.data.manifest import Failure
from anyorder.envs import minigrid
from anyorder.envs.minigrid import View
from anyorder.errors import AnyOrderError
from anyorder.evaluation.rollout import roll_out
from anyorder.masking.order import reconstruct
from anyorder.playground.wire import Live, Played, Recorded
from anyorder.policy import History
from anyorder.stepwise import StepwisePolicy
from anyorder.types import Trajectory

SCENES_REMEMBERED = 32


@dataclass(frozen=True, eq=False)
class World:
    """The whole environment at one step, which the agent never sees.

    Attributes:
        cells: uint8 ``[columns, rows, 3]``, without the agent.
        agent: its column and row.
        direction: 0..3, where it faces.
    """

    cells: np.ndarray
    agent: tuple[int, int]
    direction: int

    @classmethod
    def of(cls, env: gym.Env) -> World:
        inner = env.unwrapped
        column, row = inner.agent_pos
        return cls(inner.grid.encode(), (int(column), int(row)), int(inner.agent_dir))

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        columns, rows, _ = self.cells.shape
        return {"columns": columns, "rows": rows, "cells": self.cells.ravel().tolist(), "agent": self.agent,
                "direction": self.direction}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Scene:
    """An episode, to its end or so far.

    Attributes:
        env_id, seed: where it was played.
        views: F of them.
        actions: F - 1.
        encoded: the same as values.
        outcome: ``success``, ``failure`` (it ended without a reward), ``truncated`` (the step limit) or ``running``.
        worlds: F of them, or none where the environment does not do again what was recorded.
    """

    env_id: str
    seed: int
    views: Sequence[View]
    actions: Sequence[int]
    encoded: Encoded
    outcome: str
    worlds: Sequence[World]

    def batch(self, size: tuple[int, int]) -> Batch:
        """The episode alone, for a model of this view size."""
        return Batch(*collate([self.encoded], *size))

    def to_json(self, size: tuple[int, int]) -> dict[str, Any]:
        """Plain values; ``roles`` are those of an episode of which nothing is hidden, a digit per element."""
        layout = self.batch(size).layout
        roles = reconstruct(layout, torch.zeros_like(layout.present)).roles
        return {
            "env_id": self.env_id,
            "seed": self.seed,
            "mission": self.encoded.mission,
            "num_words": layout.shape_of_grid.num_words,
            "columns": size[0],
            "rows": size[1],
            "frames": [{"cells": view.image.ravel().tolist(), "direction": view.direction} for view in self.views],
            "actions": list(self.actions),
            "outcome": self.outcome,
            "roles": digits(roles),
            "worlds": [world.to_json() for world in self.worlds],
        }


def digits(roles: torch.Tensor) -> str:
    """The roles of one trajectory (``[1, E]``), a digit each."""
    return "".join(map(str, roles[0].tolist()))


class Scenes:
    """Finds or plays what the page asks for.

    Args:
        model: a grid model, in evaluation mode; it plays too.
        env_id: of what is played; several take turns (`anyorder.envs.minigrid.level_of`).
        recorded: episodes of a data set; may be empty.
    """

    def __init__(self, model: nn.Module, env_id: str, recorded: Sequence[Trajectory]) -> None:
        self.model, self.env_id, self.recorded = model, env_id, recorded
        self._whole = lru_cache(SCENES_REMEMBERED)(self._play_or_find)
        self._live = _LiveEnvironment(model, env_id)

    def scene(self, source: Recorded | Played | Live) -> Scene:
        """The episode. Raises AnyOrderError where there is none, or none can be played."""
        return self._live.scene(source.seed, source.actions) if isinstance(source, Live) else self._whole(source)

    def _play_or_find(self, source: Recorded | Played) -> Scene:
        if isinstance(source, Played):
            return _whole(self._play(source), self.model)
        if not source.number < len(self.recorded):
            held = f"0 to {len(self.recorded) - 1}" if self.recorded else "none"
            raise AnyOrderError(f"the recorded episodes are {held}, found {source.number}; choose another, or a seed")
        return _whole(self.recorded[source.number], self.model)

    def _play(self, source: Played) -> Trajectory:
        if source.player == "agent":
            return roll_out(StepwisePolicy(self.model), self.env_id, [source.seed])[0]
        (episode,) = ExpertSource(self.env_id, num_processes=1)([source.seed])
        if isinstance(episode, Failure):
            raise AnyOrderError(f"the bot failed on seed {source.seed} ({episode.reason}); choose another seed")
        return episode


def _whole(trajectory: Trajectory, model: nn.Module) -> Scene:
    model.check(trajectory.observations.shape[1:3], len(trajectory.mission.split()))
    seen = zip(trajectory.observations, trajectory.directions.tolist())
    return Scene(
        env_id=trajectory.env_id,
        seed=trajectory.seed,
        views=[View(image, direction, trajectory.mission) for image, direction in seen],
        actions=trajectory.actions.tolist(),
        encoded=encode(trajectory, model.vocabulary),
        outcome="success" if trajectory.success else "truncated" if trajectory.truncated else "failure",
        worlds=_worlds(trajectory),
    )


def _worlds(trajectory: Trajectory) -> list[World]:
    """The environment at every frame; none if it cannot be made, or shows something else than was recorded."""
    try:
        env = minigrid.make_env(trajectory.env_id)
    except AnyOrderError:
        return []
    view, worlds = minigrid.reset(env, trajectory.seed), []
    for recorded, action in zip(trajectory.observations, [*trajectory.actions.tolist(), None]):
        if not np.array_equal(view.image, recorded):
            return []
        worlds.append(World.of(env))
        if action is not None:
            view = minigrid.read_view(env.step(action)[0])
    return worlds


class _LiveEnvironment:
    """One environment that stands where the last request left it; another past is played again from its seed."""

    def __init__(self, model: nn.Module, env_id: str) -> None:
        self._model, self._env_ids = model, env_id
        self._env = minigrid.make_env(minigrid.level_of(env_id, 0))
        self._lock = threading.Lock()
        self._seed: int | None = None
        self._actions: list[int] = []
        self._views: list[View] = []
        self._worlds: list[World] = []
        self._outcome = "running"

    def scene(self, seed: int, actions: Sequence[int]) -> Scene:
        """Raises AnyOrderError for an action after the end, and one that the environment has not."""
        with self._lock:
            if seed != self._seed or self._actions != list(actions[: len(self._actions)]):
                self._reset(seed)
            for action in actions[len(self._actions) :]:
                self._step(action)
            past = tuple(self._views), tuple(self._actions)
            return Scene(self._env.spec.id, seed, *past, _so_far(self._model, *past), self._outcome, tuple(self._worlds))

    def _reset(self, seed: int) -> None:
        self._seed = None  # should this fail halfway, the next request starts anew
        if (level := minigrid.level_of(self._env_ids, seed)) != self._env.spec.id:
            self._env = minigrid.make_env(level)
        view = minigrid.reset(self._env, seed)
        self._model.check(view.image.shape[:2], len(view.mission.split()))
        self._seed, self._actions, self._views, self._worlds = seed, [], [], []
        self._outcome = "running"
        self._observe(view)

    def _step(self, action: int) -> None:
        if self._outcome != "running":
            raise AnyOrderError(f"this episode ended after {len(self._actions)} actions; reset it to go on")
        if action >= self._env.action_space.n:
            raise AnyOrderError(f"{self._env.spec.id} has {self._env.action_space.n} actions, found action {action}")
        observation, reward, terminated, truncated, _ = self._env.step(action)
        self._actions.append(action)
        self._observe(minigrid.read_view(observation))
        if terminated or truncated:
            self._outcome = ("success" if reward > 0 else "failure") if terminated else "truncated"

    def _observe(self, view: View) -> None:
        self._views.append(view)
        self._worlds.append(World.of(self._env))


def _so_far(model: nn.Module, views: Sequence[View], actions: Sequence[int]) -> Encoded:
    """An episode that goes on; its next action is not an element."""
    history = History(model.vocabulary, views[0].mission)
    for view, action in zip(views, [*actions, None]):
        history.observe(view)
        if action is not None:
            history.act(action)
    return replace(history.encoded(), num_actions=len(actions))
