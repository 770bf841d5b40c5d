"""Policies that act inside an environment. They see its whole state, so they are experts, not agents.

An :data:`Expert` is called once per episode, just after the reset, and returns the function that acts in that episode: a view
of a grid, or an observation of any other environment, gives the action. A trained policy has the same form, but looks at the
view only.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np

from anyorder.envs.known import KNOWN, known_environment
from anyorder.envs.minigrid import View, num_actions_of
from anyorder.envs.modules import SEPARATOR, import_allowed, require_allowed
from anyorder.envs.telling import TextView, is_text_env
from anyorder.errors import AnyOrderError

import gymnasium as gym  # isort: skip  (after envs.minigrid, which silences what these imports print)
from minigrid.envs.babyai.core.roomgrid_level import RoomGridLevel  # isort: skip
from anyorder.envs.fast import AnyBot, planner_of  # isort: skip

Act = Callable[[Any], Any]
Expert = Callable[[gym.Env, int], Act]

# The environment draws its level from default_rng(seed). The actions of a policy that drew from the same stream would
# depend on the layout, so policies add this constant to the seed's entropy.
_POLICY_STREAM = 1


def make_expert(name: str, noise: float = 0.0) -> Expert:
    """The expert of that name.

    Args:
        name: a key of :data:`EXPERTS`, or ``module:function``, where the function is an :data:`Expert` and the user named the
            module (`anyorder.envs.modules.allow_module`).
        noise: share of random actions, in (0, 1], for ``noisy_bot`` and ``noisy_expert``; 0 for the others.

    Raises:
        AnyOrderError: for an unknown name (the message lists the known ones), or a noise that this expert cannot have.
    """
    if ":" in name:
        return _without_noise(_of_module(name), noise)
    check_policy_name(name)
    return EXPERTS[name](noise)


def check_policy_name(name: str, *others: str) -> None:
    """Raise an AnyOrderError unless a name is a key of :data:`EXPERTS`, one of the ``others``, or ``module:function``."""
    if name not in (*EXPERTS, *others) and ":" not in name:
        raise AnyOrderError(f"there is no policy {name!r}; choose one of {', '.join((*EXPERTS, *others))}, module:function")


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
    """Actions drawn independently and uniformly from all that the environment has (numbers without bounds as Gymnasium draws
    them; of a text environment, from what is admissible). They depend on the seed alone."""
    return _drawing(env, np.random.default_rng([seed, _POLICY_STREAM]))


def _drawing(env: gym.Env, generator: np.random.Generator) -> Act:
    if is_text_env(env):
        return lambda view: admissible_action(view, generator)
    space = env.action_space
    if isinstance(space, gym.spaces.Discrete):
        first, number = int(space.start), int(space.n)
        return lambda observation: first + int(generator.integers(number))
    own = copy.deepcopy(space)  # the environment may draw from its space, too
    own.seed(int(generator.integers(2**31)))
    return lambda observation: own.sample()


def has_expert(env_id: str) -> bool:
    """True if `known_expert` knows an expert of each environment of an id, or of several joined by ``+``."""
    found = (known_environment(name) for name in env_id.split(SEPARATOR))
    return all(one is not None and one.expert for one in found)


def require_expert(env_id: str) -> None:
    """Raise an AnyOrderError unless `has_expert`."""
    if not has_expert(env_id):
        raise AnyOrderError(f"{_no_expert(env_id)}; choose another metric, such as task_success")


def _no_expert(name: str) -> str:
    those = ", ".join(f"{one.prefix}*" for one in KNOWN if one.expert)
    return f"no expert of {name} is known, only of {those}"


def known_expert(env: gym.Env, seed: int) -> Act:
    """The expert that `anyorder.envs.known.KNOWN` names for this environment, or the gold path of a text environment.

    Raises:
        AnyOrderError: when there is neither.
    """
    if is_text_env(env) and hasattr(env.unwrapped, "gold_path"):
        return gold(env, seed)
    name = _id_of(env)
    known = known_environment(name)
    if known is None or not known.expert:
        raise AnyOrderError(
            f"{_no_expert(name)}; write your own as --policy module:function (docs/environments.md), or choose the policy"
            " 'random'"
        )
    module, function = known.expert.split(":")
    return getattr(import_module(module), function)(env, seed)


def gold(env: gym.Env, seed: int) -> Act:
    """The gold path of a text environment that has one (`follow`); what is random in it depends on the seed alone."""
    path: list[str] = env.get_wrapper_attr("gold_path")()
    listed_as = getattr(env.unwrapped, "listed_as", _as_it_is)
    return follow(path, np.random.default_rng([seed, _POLICY_STREAM]), listed_as)


def _as_it_is(action: str) -> str | None:
    return action


def follow(path: Sequence[str], generator: np.random.Generator, listed_as: Callable[[str], str | None] = _as_it_is) -> Act:
    """The actions of a path, one after the other, without those that would do nothing. Where another action was done instead,
    the path's own is still to come, and where that is not admissible any more, random admissible actions are done until it is.
    So they are when such a path has come to its end.

    Args:
        path: the actions.
        generator: draws the random ones.
        listed_as: how an action is worded now; None where it would do nothing.

    Raises:
        RuntimeError: when the path was followed to its end and the episode goes on.
    """
    following, chosen, strayed = 0, "", False

    def act(view: TextView) -> str:
        nonlocal following, chosen, strayed
        if view.done is not None:
            was_path = view.done == chosen
            following, strayed = following + was_path, strayed or not was_path
        wanted = None
        while wanted is None and following < len(path):
            wanted = listed_as(path[following])
            following += wanted is None
        if following == len(path) and not strayed:
            raise RuntimeError(f"the gold path of {len(path)} actions does not end the episode")
        if wanted is None or (strayed and view.admissible and wanted not in view.admissible):
            chosen = ""
            return admissible_action(view, generator)
        chosen = wanted
        return chosen

    return act


def admissible_action(view: TextView, generator: np.random.Generator) -> str:
    """An action drawn uniformly from what is admissible.

    Raises:
        AnyOrderError: where that is not known.
    """
    if not view.admissible:
        raise AnyOrderError(
            'random actions need info["admissible"], which this environment does not give; choose another policy, or add it'
            " in a wrapper"
        )
    return view.admissible[int(generator.integers(len(view.admissible)))]


def noisy_expert(env: gym.Env, seed: int, noise: float) -> Act:
    """The known expert with random actions: with probability ``noise``, independently at each step, the action is drawn as
    `uniform` draws. The expert is asked at every step."""
    if isinstance(env.unwrapped, RoomGridLevel):
        return noisy_bot(env, seed, noise)
    act, generator = known_expert(env, seed), np.random.default_rng([seed, _POLICY_STREAM])
    draw = _drawing(env, generator)

    def noisy(observation: Any) -> Any:
        best = act(observation)
        return draw(observation) if generator.random() < noise else best

    return noisy


def _of_module(name: str) -> Expert:
    """The function that the user named as ``module:function``."""
    require_allowed(name, "policy")
    import_allowed()
    module, _, function = name.rpartition(":")
    found = getattr(import_module(module), function, None)
    if not callable(found):
        raise AnyOrderError(
            f"the policy {name!r} must be a function of the module {module!r}, called with an environment and a seed, that"
            f" returns a function of the observation; found {type(found).__name__}"
        )
    return found


def _id_of(env: gym.Env) -> str:
    return env.spec.id if env.spec else type(env.unwrapped).__name__


def _planner(env: gym.Env) -> AnyBot:
    if not isinstance(env.unwrapped, RoomGridLevel):
        raise AnyOrderError(
            f"the bot's level must be one of BabyAI's; found {_id_of(env)}; choose a BabyAI-* environment, or the"
            " policy 'random' or 'expert'"
        )
    return planner_of(env)


def _without_noise(expert: Expert, noise: float) -> Expert:
    if noise != 0:
        raise AnyOrderError(f"noise must be 0 for every policy that is not noisy; found {noise}; leave it out")
    return expert


def _with_noise(expert: Callable[..., Act], noise: float) -> Expert:
    if not 0 < noise <= 1:
        raise AnyOrderError(f"the noise of '{expert.__name__}' must be above 0 and at most 1; found {noise}")
    return partial(expert, noise=noise)


EXPERTS: dict[str, Callable[[float], Expert]] = {
    "bot": partial(_without_noise, bot),
    "noisy_bot": partial(_with_noise, noisy_bot),
    "random": partial(_without_noise, uniform),
    "expert": partial(_without_noise, known_expert),
    "noisy_expert": partial(_with_noise, noisy_expert),
    "gold": partial(_without_noise, known_expert),
    "noisy_gold": partial(_with_noise, noisy_expert),
}
