"""A policy of one's own for `anyorder collect`: a function that is called once per episode and returns what acts in it.

anyorder collect --env CartPole-v1 --policy own_policy:balance --output_dir data/cartpole   (in this folder)
"""

from collections.abc import Callable

import gymnasium as gym
import numpy as np


def balance(env: gym.Env, seed: int) -> Callable[[np.ndarray], int]:
    """Push the cart to where the pole falls.

    Args:
        env: just reset; an expert may look into it (`env.unwrapped`).
        seed: of the episode; draw from it alone, so that the same seed gives the same episode.

    Returns:
        A function from an observation to an action of `env.action_space`, called at every step.
    """

    def act(observation: np.ndarray) -> int:
        _, velocity, angle, turning = observation
        return int(angle + 0.5 * turning + 0.05 * velocity > 0)

    return act
