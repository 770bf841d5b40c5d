"""An episode in a grid that goes on, one action after the other."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

from anyorder.acting.policy import History
from anyorder.elements.grid import Encoded
from anyorder.envs import minigrid
from anyorder.envs.episode import Episode
from anyorder.envs.minigrid import View
from anyorder.errors import AnyOrderError
from anyorder.models.contract import GridModel
from anyorder.pages.world import World
from anyorder.playground.grid_scene import GridScene


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
        self._episode: Episode | None = None
        self._worlds: list[World] = []

    def scene(self, seed: int, actions: Sequence[int]) -> GridScene:
        """The episode that these actions lead to, from this seed.

        Raises:
            AnyOrderError: for an action after the end, one that the environment does not have, or one at which it fails.
        """
        with self._lock:
            episode, self._episode = self._episode, None  # should this fail halfway, the next request starts anew
            if episode is None or seed != episode.seed or episode.actions != list(actions[: len(episode.actions)]):
                episode = self._begin(seed)
            for action in actions[len(episode.actions) :]:
                self._step(episode, action)
            self._episode = episode
            past = tuple(episode.views), tuple(episode.actions)
            return GridScene(
                self._model,
                episode.env_id,
                seed,
                *past,
                _so_far(self._model, *past),
                _outcome(episode),
                tuple(self._worlds),
                minigrid.num_actions_of(self._env),
            )

    def close(self) -> None:
        """Close the environment; another request opens it again."""
        with self._lock:
            self._episode, self._level = None, ""
            self._env.close()

    def _begin(self, seed: int) -> Episode:
        if (level := minigrid.level_of(self._env_ids, seed)) != self._level:
            self._env.close()
            self._env, self._level = minigrid.make_env(level), level
        episode = Episode(self._env, self._level, seed)
        (view,) = episode.views
        self._model.check(view.image.shape[:2], len(view.mission.split()))
        self._worlds = [World.of(self._env)]
        return episode

    def _step(self, episode: Episode, action: int) -> None:
        if episode.over:
            raise AnyOrderError(f"this episode ended after {len(episode.actions)} actions; reset it to go on")
        highest = minigrid.num_actions_of(self._env) - 1
        if action > highest:
            raise AnyOrderError(f"an action of {episode.env_id} must lie between 0 and {highest}; found {action}")
        episode.step(action)
        self._worlds.append(World.of(self._env))


def _outcome(episode: Episode) -> str:
    """See `GridScene`."""
    if episode.terminated:
        return "success" if episode.rewards[-1] > 0 else "failure"
    return "truncated" if episode.truncated else "running"


def _so_far(model: GridModel, views: Sequence[View], actions: Sequence[int]) -> Encoded:
    """The episode so far as values; its next action is not an element."""
    history = History(model.vocabulary, views[0].mission)
    for view, action in zip(views, [*actions, None]):
        history.observe(view)
        if action is not None:
            history.act(action)
    return replace(history.encoded(), num_actions=len(actions))
