"""An episode played again from its seed and its actions, with the whole world around the agent.

Legend: F frames.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from anyorder.envs import minigrid
from anyorder.pages.world import World
from anyorder.types import Trajectory


def replay(env_id: str, seed: int, actions: Sequence[int]) -> tuple[Trajectory, list[World]]:
    """Play an episode again; return its record and the world at each of its F frames.

    Args:
        env_id: a registered environment.
        seed: of the episode.
        actions: at least one; what follows the end of the episode is left out.

    Raises:
        AnyOrderError: for an unknown environment.
    """
    env = minigrid.make_env(env_id)
    views, worlds, rewards = [minigrid.reset(env, seed)], [World.of(env)], []
    terminated = truncated = False
    for action in actions:
        observation, reward, terminated, truncated, _ = env.step(int(action))
        views.append(minigrid.read_view(observation))
        worlds.append(World.of(env))
        rewards.append(float(reward))
        if terminated or truncated:
            break
    record = Trajectory(
        env_id=env_id,
        seed=seed,
        mission=views[0].mission,
        observations=np.stack([view.image for view in views]),
        directions=np.array([view.direction for view in views], np.uint8),
        actions=np.array(actions[: len(rewards)], np.uint8),
        rewards=np.array(rewards, np.float32),
        terminated=terminated,
        truncated=truncated,
    )
    return record, worlds
