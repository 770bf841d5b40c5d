"""What the metadata of a Minari data set say: its spaces, and the environment that it was recorded in."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from gymnasium import spaces

from anyorder.data.minari_format import ERRORS_OF_MINARI, DataSetNote
from anyorder.envs.spaces import ACTION, OBSERVATION, space_from_json
from anyorder.errors import AnyOrderError
from anyorder.parsing import brief

from minigrid.core.mission import MissionSpace  # isort: skip  (after anyorder.envs, which silences what it prints)

HARMLESS_WRAPPERS = ("OrderEnforcing", "PassiveEnvChecker", "TimeLimit")
"""Wrappers after which an environment of MiniGrid still shows what the registered one shows."""


def check_minari_spaces(metadata: Mapping[str, Any], folder: Path) -> None:
    """Raise an AnyOrderError for spaces that Minari cannot read, or would ask an environment for, whose code would run.

    From here on Minari reads MiniGrid's space of missions, too, as its documentation lets a program add a space.
    """
    from minari.serialization import deserialize_space

    if "MissionSpace" not in deserialize_space.registry:
        deserialize_space.register("MissionSpace")(lambda content: MissionSpace(lambda: str(content["mission_func"])))
    for root in (OBSERVATION, ACTION):
        written = metadata.get(f"{root}_space")
        if written is None:
            raise AnyOrderError(
                f"{folder / 'metadata.json'} must hold the {root} space; found none; record the data with a newer Minari"
            )
        try:
            content = json.loads(written)
        except (TypeError, ValueError):
            raise AnyOrderError(
                f"{folder / 'metadata.json'} must hold the {root} space as JSON; found {brief(written)}"
            ) from None
        _check_space(content, root, set(deserialize_space.registry))


def _check_space(content: Any, path: str, known: Collection[str]) -> None:
    kind = content.get("type") if isinstance(content, dict) else None
    if not isinstance(kind, str) or kind not in known:
        raise AnyOrderError(
            f"{path} must be made of {', '.join(sorted(known))}; found {brief(Exception(kind))}; record the data with a wrapper"
            " that gives one of these"
        )
    inner = content.get("subspaces", {})
    for key, one in inner.items() if isinstance(inner, dict) else enumerate(inner):
        _check_space(one, f"{path}/{key}", known)


def noted_spaces(note: DataSetNote, folder: Path) -> dict[str, spaces.Space[Any]]:
    """Root -> the space of a data set that this package exported.

    Raises:
        AnyOrderError: when the note holds none.
    """
    try:
        return {root: space_from_json(note.spaces[root]) for root in (OBSERVATION, ACTION)}
    except ERRORS_OF_MINARI as error:
        raise AnyOrderError(f"{folder / 'metadata.json'} must hold spaces; found others ({brief(error)})") from None


def with_texts(space: spaces.Space[Any], text: spaces.Text) -> spaces.Space[Any]:
    """The same space with ``text`` in the place of each space of missions."""
    if isinstance(space, spaces.Dict):
        return spaces.Dict([(key, with_texts(inner, text)) for key, inner in space.spaces.items()])
    if isinstance(space, spaces.Tuple):
        return spaces.Tuple([with_texts(inner, text) for inner in space.spaces])
    return text if isinstance(space, MissionSpace) else space


def env_id_of(metadata: Mapping[str, Any]) -> str:
    """Id of the environment; the name of the data set where it says none."""
    found = _env_spec(metadata).get("id")
    return found if isinstance(found, str) and found else str(metadata.get("dataset_id", "unknown"))


def _env_spec(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        found = json.loads(metadata.get("env_spec") or "{}")
    except (TypeError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def shows_registered_view(metadata: Mapping[str, Any]) -> bool:
    """Whether the environment that a data set names shows what its episodes show."""
    found = _env_spec(metadata)
    wrappers = found.get("additional_wrappers") or []
    names = [one.get("name") if isinstance(one, dict) else None for one in wrappers]
    return bool(found.get("id")) and all(name in HARMLESS_WRAPPERS for name in names)
