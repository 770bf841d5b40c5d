"""The environments of a data set, and an episode in one of them: a grid if they are MiniGrid's, words if all they say is text,
fields if they are others."""

from __future__ import annotations

from anyorder.envs import minigrid
from anyorder.envs.episode import Episode
from anyorder.envs.modules import SEPARATOR
from anyorder.envs.recording import FieldEpisode
from anyorder.envs.registered import make_registered
from anyorder.envs.spaces import ACTION, OBSERVATION, leaves
from anyorder.envs.telling import TextEpisode, is_text_env
from anyorder.errors import AnyOrderError
from anyorder.parsing import brief

import gymnasium as gym  # isort: skip  (after envs.minigrid, which silences what this import prints)


def make_environments(env_ids: str) -> tuple[gym.Env, ...]:
    """The environments of a data set: one id, or several joined by ``+``; `anyorder.envs.minigrid.level_of` says which of them
    a seed plays. Either all of them are grids (`anyorder.envs.minigrid.is_grid_env`) or none is, and the same holds for text
    environments (`anyorder.envs.telling.is_text_env`).

    Raises:
        AnyOrderError: for an environment that cannot be made or cannot be recorded, or when their spaces differ.
    """
    names = env_ids.split(SEPARATOR)
    envs = tuple(map(make_registered, names))
    if any(map(minigrid.is_grid_env, envs)):
        return minigrid.of_one_view(names, tuple(map(minigrid.as_grid_env, names, envs)))
    if all(map(is_text_env, envs)):
        return envs
    for name, env in zip(names, envs):
        leaves(env.observation_space, OBSERVATION)
        leaves(env.action_space, ACTION)
        for root in ("observation_space", "action_space"):
            space, first = getattr(env, root), getattr(envs[0], root)
            if space != first:
                raise AnyOrderError(
                    f"environments of one data set must have one {root.replace('_', ' ')}; found {brief(first)} in {names[0]}"
                    f" and {brief(space)} in {name}; choose others"
                )
    return envs


def begin_episode(env: gym.Env, env_id: str, seed: int) -> Episode | FieldEpisode | TextEpisode:
    """An episode that has begun, in an environment of `make_environments`; raises as `Episode`, `FieldEpisode` and
    `TextEpisode` do."""
    if minigrid.is_grid_env(env):
        return Episode(env, env_id, seed)
    return (TextEpisode if is_text_env(env) else FieldEpisode)(env, env_id, seed)
