"""An episode that goes on, one action after the other."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

import gymnasium as gym

from anyorder.acting.policy import History
from anyorder.elements.grid import Encoded
from anyorder.envs import minigrid
from anyorder.envs.minigrid import View
from anyorder.errors import AnyOrderError
from anyorder.models.contract import GridModel
from anyorder.pages.world import World
from anyorder.playground.scene import Scene


class LiveEnvironment:
    """One environment that stays where the last request left it. For another past, it is reset and plays that past again.

    Args:
        model: whose view and missions the environment must have.
        env_id: registered; several, joined by ``+``, take turns (`anyorder.envs.minigrid.level_of`).
    """

    def __init__(self, model: GridModel, env_id: str) -> None:
        self._model, self._env_ids = model, env_id
        self._level = minigrid.level_of(env_id, 0)
        self._env = minigrid.make_env(self._level)
        self._lock = threading.Lock()
        self._seed: int | None = None
        self._actions: list[int] = []
        self._views: list[View] = []
        self._worlds: list[World] = []
        self._outcome = "running"

    def scene(self, seed: int, actions: Sequence[int]) -> Scene:
        """The episode that these actions lead to, from this seed.

        Raises:
            AnyOrderError: for an action after the end, and for one that the environment does not have.
        """
        with self._lock:
            if seed != self._seed or self._actions != list(actions[: len(self._actions)]):
                self._reset(seed)
            for action in actions[len(self._actions) :]:
                self._step(action)
            past = tuple(self._views), tuple(self._actions)
            return Scene(self._env_id(), seed, *past, _so_far(self._model, *past), self._outcome, tuple(self._worlds))

    def _env_id(self) -> str:
        assert self._env.spec is not None  # gymnasium.make sets it
        return self._env.spec.id

    def _reset(self, seed: int) -> None:
        self._seed = None  # should this fail halfway, the next request starts anew
        if (level := minigrid.level_of(self._env_ids, seed)) != self._level:
            self._env, self._level = minigrid.make_env(level), level
        view = minigrid.reset(self._env, seed)
        self._model.check(view.image.shape[:2], len(view.mission.split()))
        self._seed, self._actions, self._views, self._worlds = seed, [], [], []
        self._outcome = "running"
        self._observe(view)

    def _step(self, action: int) -> None:
        if self._outcome != "running":
            raise AnyOrderError(f"this episode ended after {len(self._actions)} actions; reset it to go on")
        space = self._env.action_space
        assert isinstance(space, gym.spaces.Discrete)
        if action >= space.n:
            raise AnyOrderError(f"an action of {self._env_id()} must lie between 0 and {space.n - 1}; found {action}")
        observation, reward, terminated, truncated, _ = self._env.step(action)
        self._actions.append(action)
        self._observe(minigrid.read_view(observation))
        if terminated or truncated:
            self._outcome = ("success" if float(reward) > 0 else "failure") if terminated else "truncated"

    def _observe(self, view: View) -> None:
        self._views.append(view)
        self._worlds.append(World.of(self._env))


def _so_far(model: GridModel, views: Sequence[View], actions: Sequence[int]) -> Encoded:
    """The episode so far as values; its next action is not an element."""
    history = History(model.vocabulary, views[0].mission)
    for view, action in zip(views, [*actions, None]):
        history.observe(view)
        if action is not None:
            history.act(action)
    return replace(history.encoded(), num_actions=len(actions))
