"""Arrays of your own as a data set: write them down once, with spaces that follow from them where you give none.

write_arrays("data/mine", [{"observations": states, "actions": commands}, ...])
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces

from anyorder.config import SpecConfig
from anyorder.data.importers.recording import Partition, Recording, import_recording
from anyorder.data.manifest import Manifest
from anyorder.envs.spaces import ACTION, OBSERVATION, flatten, leaves
from anyorder.errors import AnyOrderError
from anyorder.types import FieldTrajectory

EPISODE_KEYS = (
    *("observations", "actions", "rewards", "terminations", "truncations"),
    *("mission", "success", "seed", "absent", "infos"),
)
MOST_NUMBERED = 256
"""Whole numbers of a wider range become a Box, not a Discrete."""


def write_arrays(
    folder: str | Path,
    episodes: Iterable[Mapping[str, Any]],
    observation_space: spaces.Space[Any] | None = None,
    action_space: spaces.Space[Any] | None = None,
    *,
    env_id: str = "arrays",
    partition: Partition | None = None,
    config: SpecConfig | None = None,
) -> Manifest:
    """Write episodes as a new data set, divided into splits and with its spec; returns its manifest.

    An episode is a mapping with these keys; T is its number of actions:

    - ``observations``: an array ``[T+1, ...]``, or a nest (dict, tuple) of such arrays; numbers, truth values or texts. With
      ``[T, ...]``, the observation after the last action counts as not recorded. Without actions, its length alone says T.
    - ``actions`` (optional): ``[T, ...]``, or a nest. Missing or None: not recorded, as in videos.
    - ``rewards`` (optional): ``[T]``; zeros where missing.
    - ``terminations``, ``truncations`` (optional): bool ``[T]``, or one bool for the last step; where both are missing, the
      episode is truncated at its end.
    - ``mission`` (optional): the instruction; ``success`` (optional): a bool; ``seed`` (optional): of the environment;
      episodes of one seed never lie in two splits.
    - ``absent`` (optional): path -> bool array, True where a value was not recorded. NaN counts as not recorded, too.
    - ``infos`` (optional): name -> array, kept beside the trajectory.

    Args:
        folder: where the data set goes; it must not hold one.
        episodes: at least one.
        observation_space, action_space: of the environment; None: what the arrays hold. Arrays are cast to the dtypes of a
            given space, where that loses nothing.
        env_id: registered id of the environment, so that an agent can act there; or a name.
        partition: shares of the splits; None: 5% for validation, 5% for testing.
        config: how the spec differs from what the data say.

    Raises:
        AnyOrderError: naming the episode, what it must have and what was found.
    """
    given = [_checked(number, episode) for number, episode in enumerate(episodes)]
    if not given:
        raise AnyOrderError("write_arrays must get at least one episode; found none")
    recorded = [one["actions"] for one in given if one.get("actions") is not None]
    observation_space = observation_space or _space_of([one["observations"] for one in given], OBSERVATION)
    if action_space is None:
        action_space = _space_of(recorded, ACTION) if recorded else spaces.Dict({})
    trajectories = []
    for number, one in enumerate(given):
        try:
            trajectories.append(_trajectory(number, one, observation_space, action_space, bool(recorded), env_id))
        except (ValueError, TypeError, KeyError, IndexError) as error:
            raise AnyOrderError(f"episode {number}: {error}; correct it") from None
    groups = [f"seed {one['seed']}" if "seed" in one else f"episode {number}" for number, one in enumerate(given)]
    recording = Recording(env_id, env_id, observation_space, action_space, trajectories, groups)
    return import_recording(recording, Path(folder), partition, config)


def _checked(number: int, episode: Mapping[str, Any]) -> Mapping[str, Any]:
    if unknown := sorted(set(episode) - set(EPISODE_KEYS)):
        raise AnyOrderError(f"episode {number} must have keys among {', '.join(EPISODE_KEYS)}; found {unknown[0]!r}")
    if "observations" not in episode:
        raise AnyOrderError(f"episode {number} must have observations; found {', '.join(episode) or 'nothing'}")
    return episode


def _space_of(nests: Sequence[Any], root: str) -> spaces.Space[Any]:
    """The space that holds the values of all episodes; each of them is a nest of the same form."""
    first = nests[0]
    if isinstance(first, Mapping):
        for nest in nests:
            if not isinstance(nest, Mapping) or set(nest) != set(first):
                raise AnyOrderError(f"all episodes must have the same {root} keys ({', '.join(map(str, first))})")
        return spaces.Dict([(key, _space_of([nest[key] for nest in nests], f"{root}/{key}")) for key in first])
    if isinstance(first, tuple):
        if any(not isinstance(nest, tuple) or len(nest) != len(first) for nest in nests):
            raise AnyOrderError(f"all episodes must have {len(first)} parts of {root}")
        return spaces.Tuple([_space_of([nest[i] for nest in nests], f"{root}/{i}") for i in range(len(first))])
    arrays = [np.asarray(nest) for nest in nests]
    if len({array.shape[1:] for array in arrays}) > 1 or any(array.ndim == 0 for array in arrays):
        found = ", ".join(sorted({str(list(array.shape)) for array in arrays}))
        raise AnyOrderError(f"{root} must have one shape at all steps of all episodes; found {found}")
    return _leaf_of(arrays, root)


def _leaf_of(arrays: Sequence[np.ndarray], path: str) -> spaces.Space[Any]:
    shape, dtype = arrays[0].shape[1:], np.result_type(*arrays)
    values = np.concatenate([array.ravel() for array in arrays])
    if dtype.kind == "U" and not shape:
        characters = "".join(sorted(set("".join(values.tolist()))))
        longest = max(1, *map(len, values.tolist())) if len(values) else 1
        return spaces.Text(longest, min_length=0, charset=characters or " ")
    if dtype.kind == "b":
        return spaces.MultiBinary(shape) if shape else spaces.Discrete(2)
    if dtype.kind == "f":
        return spaces.Box(-np.inf, np.inf, shape, dtype.type)
    if dtype.kind not in "iu" or not len(values):
        raise AnyOrderError(f"{path} must be numbers, truth values or (one a step) texts; found {dtype} {list(shape)}")
    low, high = int(values.min()), int(values.max())
    if not shape and high - low < MOST_NUMBERED:
        start = min(low, 0)
        return spaces.Discrete(high - start + 1, start=start, dtype=np.int64)
    return spaces.Box(low, high, shape, dtype.type)


def _trajectory(
    number: int,
    given: Mapping[str, Any],
    observation_space: spaces.Space[Any],
    action_space: spaces.Space[Any],
    any_actions: bool,
    env_id: str,
) -> FieldTrajectory:
    observations = _arrays(observation_space, given["observations"], OBSERVATION)
    length = len(next(iter(observations.values()), ()))
    absent = {path: np.array(lost, np.bool_) for path, lost in (given.get("absent") or {}).items()}
    actions: dict[str, np.ndarray] = {}
    num_actions = length - 1
    if given.get("actions") is not None:
        actions = _arrays(action_space, given["actions"], ACTION)
        num_actions = len(next(iter(actions.values()), ()))
        if num_actions == length:
            observations, absent = _with_unseen_end(observations, absent)
    elif any_actions:
        for path, leaf in leaves(action_space, ACTION).items():
            text = isinstance(leaf, spaces.Text)
            actions[path] = np.zeros((num_actions, *(leaf.shape or ())), "<U1" if text else leaf.dtype)
            absent[path] = np.ones(actions[path].shape, np.bool_)
    ends = {name: _ends(given.get(name), num_actions) for name in ("terminations", "truncations")}
    if given.get("terminations") is None and given.get("truncations") is None:
        ends["truncations"][-1:] = True
    success = given.get("success")
    rewards = np.zeros(num_actions) if given.get("rewards") is None else np.array(given["rewards"], np.float64).reshape(-1)
    if rewards.shape != (num_actions,):
        raise ValueError(f"rewards must be {num_actions} numbers, one for each action; found {len(rewards)}")
    return FieldTrajectory(
        env_id,
        int(given.get("seed", number)),
        observations,
        actions,
        rewards,
        ends["terminations"],
        ends["truncations"],
        mission=str(given.get("mission", "")),
        success=None if success is None else bool(success),
        absent=absent,
        infos={name: np.array(array) for name, array in (given.get("infos") or {}).items()},
    )


def _with_unseen_end(
    observations: Mapping[str, np.ndarray], absent: Mapping[str, np.ndarray]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The observations with one more that was not recorded."""
    longer, lost = {}, dict(absent)
    for path, array in observations.items():
        longer[path] = np.concatenate([array, array[-1:]])
        before = absent.get(path, np.zeros(array.shape, np.bool_))
        lost[path] = np.concatenate([before, np.ones(array[-1:].shape, np.bool_)])
    return longer, lost


def _ends(given: Any, num_actions: int) -> np.ndarray:
    if given is None or np.ndim(given) == 0:
        ends = np.zeros(num_actions, np.bool_)
        ends[-1:] = bool(given)
        return ends
    return np.array(given, np.bool_).reshape(-1)


def _arrays(space: spaces.Space[Any], nest: Any, root: str) -> dict[str, np.ndarray]:
    """Path -> array, in the dtype of its leaf."""
    found = leaves(space, root)
    return {path: _cast(path, found[path], np.array(value)) for path, value in flatten(space, nest, root).items()}


def _cast(path: str, leaf: spaces.Space[Any], array: np.ndarray) -> np.ndarray:
    if isinstance(leaf, spaces.Text):
        if array.dtype.kind != "U" or array.ndim != 1:
            raise ValueError(f"{path} must be one text at each step; found {array.dtype} {list(array.shape[1:])}")
        return array
    if array.dtype.kind not in "biuf" or array.shape[1:] != (leaf.shape or ()):
        expected = f"{leaf.dtype} {list(leaf.shape or ())}"
        raise ValueError(f"{path} must be {expected} at each step; found {array.dtype} {list(array.shape[1:])}")
    cast = array.astype(leaf.dtype)
    real = np.dtype(leaf.dtype).kind == "f" and array.dtype.kind == "f"
    if not real and not (cast == array).all():
        raise ValueError(f"{path} must be {leaf.dtype}; found {array.dtype} values that this cannot hold")
    if not isinstance(leaf, spaces.Box) and len(bad := [step for step in range(len(cast)) if not leaf.contains(cast[step])]):
        raise ValueError(f"{path} must lie in {leaf}; found {cast[bad[0]]} at step {bad[0]}")
    return cast
