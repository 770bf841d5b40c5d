"""Environments by their registered id, of whatever kind, with one sentence for each way in which that can fail."""

from __future__ import annotations

import difflib
import warnings

import gymnasium as gym

from anyorder.envs.known import known_environment
from anyorder.envs.modules import SEPARATOR, import_allowed, require_allowed
from anyorder.errors import AnyOrderError


def is_registered(env_ids: str) -> bool:
    """True if Gymnasium knows an id, or each of several that are joined by ``+``."""
    import_allowed()
    return all(name.rpartition(":")[2] in gym.registry for name in env_ids.split(SEPARATOR))


def full_ids(env_ids: str) -> str:
    """What a user typed, written out: of a world with tasks, ``world:task`` means ``world/task``, and the version may be left
    out where there is one. What is not registered so stays as it is."""
    return SEPARATOR.join(_full_id(name) for name in env_ids.split(SEPARATOR))


def _full_id(env_id: str) -> str:
    name = env_id.replace(":", "/")
    found = [one for one in gym.registry if "/" in name and name in (one, one.rpartition("-v")[0])]
    return found[0] if len(found) == 1 else env_id


def make_registered(env_id: str) -> gym.Env:
    """Make a registered environment.

    Args:
        env_id: a full gymnasium id with its version; or ``module:id``, where the module registers the id. The user must
            have named the module (`anyorder.envs.modules.allow_module`).

    Raises:
        AnyOrderError: for an id that is not registered, a module that the user did not name, or an environment that cannot be
            made, because a package or a file is missing; the message names the extra that brings the package, if one does.
    """
    require_allowed(env_id)
    import_allowed()
    name = env_id.rpartition(":")[2]
    if name not in gym.registry:
        raise AnyOrderError(f"there is no environment {env_id!r}{_suggestion(name)}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "is out of date": the id names a version on purpose
            # The passive checker warns about correct MiniGrid environments and costs a tenth of the speed.
            return gym.make(name, disable_env_checker=True)
    except AnyOrderError:  # it says what to install
        raise
    except Exception as error:  # a constructor may raise anything
        raise AnyOrderError(
            f"the environment {env_id!r} could not be made ({type(error).__name__}: {error}); {_remedy(name, error)}"
        ) from error


def _suggestion(name: str) -> str:
    # Ids with a namespace are found by their last part, too: PointMaze_UMaze-v3 means pointmaze/UMaze-v3.
    close = difflib.get_close_matches(name, gym.registry, n=3, cutoff=0.7)
    close += [one for one in gym.registry if "/" in one and name.endswith(one.rpartition("/")[2]) and one not in close]
    if close:
        return f"; did you mean {' or '.join(close)}?"
    return "; ids look like BabyAI-GoToRedBall-v0, or module:id where a module of yours registers the id"


def _remedy(name: str, error: Exception) -> str:
    known = known_environment(name)
    if known and known.extra and isinstance(error, (ImportError, gym.error.DependencyNotInstalled)):
        return f"install what it needs with `pip install 'anyorder[{known.extra}]'`"
    return "choose another"
