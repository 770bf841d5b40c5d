"""An episode played again from its seed and its actions, with the whole world around the agent.

Legend: F frames.
"""

from __future__ import annotations

from collections.abc import Sequence

from anyorder.envs import minigrid
from anyorder.envs.episode import Episode
from anyorder.pages.world import World
from anyorder.types import Trajectory


def replay(env_id: str, seed: int, actions: Sequence[int]) -> tuple[Trajectory, list[World]]:
    """Play an episode again; return its record and the world at each of its F frames.

    Args:
        env_id: a registered environment.
        seed: of the episode.
        actions: at least one; what follows the end of the episode is left out.

    Raises:
        AnyOrderError: for an unknown environment, or one that does not go on as it did.
    """
    env = minigrid.make_env(env_id)
    episode = Episode(env, env_id, seed)
    worlds = [World.of(env)]
    for action in actions:
        episode.step(int(action))
        worlds.append(World.of(env))
        if episode.over:
            break
    return episode.trajectory(), worlds
