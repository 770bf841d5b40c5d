"""Finds and plays the episodes in grids that the page asks for."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import gymnasium as gym
import numpy as np

from anyorder.acting.rollout import roll_out
from anyorder.acting.stepwise import quickest_policy
from anyorder.data.episodes import ExpertSource
from anyorder.data.manifest import Failure
from anyorder.elements.grid import WALL, encode
from anyorder.envs import minigrid
from anyorder.envs.minigrid import ACTIONS, COLORS, DIRECTIONS, DOOR_STATES, OBJECTS, View
from anyorder.envs.played_text import PlayedText
from anyorder.errors import AnyOrderError
from anyorder.models.contract import GridModel
from anyorder.pages.atlas import atlas
from anyorder.pages.world import World
from anyorder.playground.grid_live import LiveEnvironment
from anyorder.playground.grid_scene import GridScene
from anyorder.playground.scene import check_live, check_part, check_recorded
from anyorder.playground.wire import Live, Played, Recorded, Source
from anyorder.types import FieldTrajectory, Trajectory

SCENES_REMEMBERED = 32


class GridScenes:
    """Finds or plays what the page asks for.

    Args:
        model: a grid model, in evaluation mode; it also plays episodes.
        env_id: the environment to play in; several take turns (`anyorder.envs.minigrid.level_of`).
        recorded: episodes of a data set; may be empty.
    """

    def __init__(self, model: GridModel, env_id: str, recorded: Sequence[Trajectory]) -> None:
        self.model, self.env_id, self.recorded = model, env_id, recorded
        self._whole = lru_cache(SCENES_REMEMBERED)(self._play_or_find)
        self._live = LiveEnvironment(model, env_id)

    def about(self) -> dict[str, Any]:
        """See `anyorder.playground.scene.Scenes`."""
        return {
            "kind": "grid",
            "env_id": self.env_id,
            "num_recorded": len(self.recorded),
            "view": list(self.model.view),
            "names": {"object": OBJECTS, "color": COLORS, "state": DOOR_STATES, "direction": DIRECTIONS, "action": ACTIONS},
            "last_background": WALL,
            "players": ["agent", "bot"],
            "plays": True,
        }

    def pictures(self) -> dict[str, Any]:
        """MiniGrid's tiles."""
        return atlas()

    def scene(self, source: Source) -> GridScene:
        """See `anyorder.playground.scene.Scenes`."""
        if not isinstance(source, (Recorded, Played)):
            check_live(source.kind, "live")
            assert isinstance(source, Live)
            return self._live.scene(source.seed, source.actions)
        check_part(source.part, 1)
        return self._whole(source)

    def close(self) -> None:
        """See `anyorder.playground.scene.Scenes`."""
        self._live.close()

    def _play_or_find(self, source: Recorded | Played) -> GridScene:
        if isinstance(source, Played):
            return _whole(self._play(source), self.model)
        check_recorded(source.number, len(self.recorded))
        return _whole(self.recorded[source.number], self.model)

    def _play(self, source: Played) -> Trajectory:
        if source.player == "agent":
            (episode,) = roll_out(quickest_policy(self.model), self.env_id, [source.seed])
        else:
            (played,) = ExpertSource(self.env_id, num_processes=1)([source.seed])
            assert not isinstance(played, (FieldTrajectory, PlayedText))  # a model of grids has learned this environment
            episode = played
        if isinstance(episode, Failure):
            raise AnyOrderError(f"the {source.player} failed on seed {source.seed} ({episode.reason}); choose another seed")
        return episode


def _whole(trajectory: Trajectory, model: GridModel) -> GridScene:
    model.check(trajectory.observations.shape[1:3], len(trajectory.mission.split()))
    env = _environment(trajectory.env_id)
    seen = zip(trajectory.observations, trajectory.directions.tolist())
    return GridScene(
        model=model,
        env_id=trajectory.env_id,
        seed=trajectory.seed,
        views=[View(image, direction, trajectory.mission) for image, direction in seen],
        actions=trajectory.actions.tolist(),
        encoded=encode(trajectory, model.vocabulary),
        outcome="success" if trajectory.success else "truncated" if trajectory.truncated else "failure",
        worlds=_worlds(env, trajectory) if env else [],
        num_actions=minigrid.num_actions_of(env) if env else minigrid.NUM_ACTIONS,
    )


def _environment(env_id: str) -> gym.Env | None:
    """None if it cannot be made."""
    try:
        return minigrid.make_env(env_id)
    except AnyOrderError:
        return None


def _worlds(env: gym.Env, trajectory: Trajectory) -> list[World]:
    """The environment at every frame; none if it shows something else than was recorded."""
    view, worlds = minigrid.reset(env, trajectory.seed), []
    for recorded, action in zip(trajectory.observations, [*trajectory.actions.tolist(), None]):
        if not np.array_equal(view.image, recorded):
            return []
        worlds.append(World.of(env))
        if action is not None:
            view = minigrid.read_view(env.step(action)[0])
    return worlds
