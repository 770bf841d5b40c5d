"""Policies that act inside an environment. They see its whole state, so they are experts, not agents.

An :data:`Expert` is called once per episode, just after the reset, and returns the function that acts in that episode.
A trained policy has the same form, but looks at the view only.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from anyorder.envs.minigrid import View, num_actions_of
from anyorder.errors import AnyOrderError

import gymnasium as gym  # isort: skip  (after envs.minigrid, which silences what these imports print)
from minigrid.envs.babyai.core.roomgrid_level import RoomGridLevel  # isort: skip
from anyorder.envs.fast import AnyBot, planner_of  # isort: skip

Act = Callable[[View], int]
Expert = Callable[[gym.Env, int], Act]

# The environment draws its level from default_rng(seed). The actions of a policy that drew from the same stream would
# depend on the layout, so policies add this constant to the seed's entropy.
_POLICY_STREAM = 1


def make_expert(name: str, noise: float = 0.0) -> Expert:
    """The expert of that name.

    Args:
        name: a key of :data:`EXPERTS`.
        noise: share of random actions, in (0, 1], for ``noisy_bot``; 0 for the other experts.

    Raises:
        AnyOrderError: for an unknown name (the message lists the known ones), or a noise that this expert cannot have.
    """
    if name not in EXPERTS:
        raise AnyOrderError(f"there is no policy {name!r}; choose one of {', '.join(EXPERTS)}")
    return EXPERTS[name](noise)


def bot(env: gym.Env, seed: int) -> Act:
    """BabyAI's planning bot. It is deterministic. It knows what the mission means, but explores what it has not seen.

    On some levels it may loop for ever, raise, or end without success: put a time limit on every episode.

    Raises:
        AnyOrderError: when the environment is not a BabyAI level.
    """
    planner = _planner(env)
    return lambda view: int(planner.replan())


def noisy_bot(env: gym.Env, seed: int, noise: float) -> Act:
    """The bot with random actions: with probability ``noise``, independently at each step, the action is drawn uniformly
    from all actions.

    A uniform draw may hit the bot's own choice, so the share of actions that differ from it is a little below
    ``noise``. The bot replans from the action that was really taken. The random numbers depend on the seed alone.

    The bot gives up (DisappearedBoxError) when a random action opens a box, so such episodes are failures: about 3% on
    BabyAI-GoToRedBall-v0 with a noise of 0.4, and none in levels without boxes.
    """
    planner, number = _planner(env), num_actions_of(env)
    generator = np.random.default_rng([seed, _POLICY_STREAM])
    taken: int | None = None

    def act(view: View) -> int:
        nonlocal taken
        taken = int(planner.replan(taken))  # always asked, so that the plan follows what happened
        if generator.random() < noise:
            taken = int(generator.integers(number))
        return taken

    return act


def uniform(env: gym.Env, seed: int) -> Act:
    """Actions drawn independently and uniformly from all that the environment has. They depend on the seed alone."""
    generator = np.random.default_rng([seed, _POLICY_STREAM])
    number = num_actions_of(env)
    return lambda view: int(generator.integers(number))


def _planner(env: gym.Env) -> AnyBot:
    if not isinstance(env.unwrapped, RoomGridLevel):
        name = env.spec.id if env.spec else type(env.unwrapped).__name__
        raise AnyOrderError(
            f"the bot's level must be one of BabyAI's; found {name}; choose a BabyAI-* environment or the policy 'random'"
        )
    return planner_of(env)


def _without_noise(expert: Expert, noise: float) -> Expert:
    if noise != 0:
        raise AnyOrderError(f"noise must be 0 for every policy but 'noisy_bot'; found {noise}; leave it out")
    return expert


def _with_noise(noise: float) -> Expert:
    if not 0 < noise <= 1:
        raise AnyOrderError(f"the noise of 'noisy_bot' must be above 0 and at most 1; found {noise}")
    return partial(noisy_bot, noise=noise)


EXPERTS: dict[str, Callable[[float], Expert]] = {
    "bot": partial(_without_noise, bot),
    "noisy_bot": _with_noise,
    "random": partial(_without_noise, uniform),
}
