"""Episodes that someone recorded elsewhere, as a data set folder: of fields, or of grids where they are MiniGrid's."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces

from anyorder.config import SpecConfig
from anyorder.data.field_storage import settings_of, spaces_to_json, write_field_shard
from anyorder.data.grids import MISSION_PATH
from anyorder.data.importers.shares import check_shares, split_by_share
from anyorder.data.importers.writing import none_left_behind, refuse_existing, write_splits
from anyorder.data.manifest import Manifest, package_versions, write_manifest
from anyorder.data.storage import write_shard
from anyorder.elements.fitting import fit_spec
from anyorder.envs.recording import SUCCESS_KEYS
from anyorder.envs.splits import SPLIT_OFFSETS
from anyorder.errors import AnyOrderError
from anyorder.locks import locked
from anyorder.types import FieldTrajectory, Trajectory


@dataclass(frozen=True)
class Recording:
    """What was found in a source of episodes.

    Attributes:
        source: how the user names it.
        env_id: of the environment; the name of the source where it says none.
        observation_space, action_space: of the environment.
        trajectories: the episodes, in the source's order.
        groups: episodes of one group never lie in two splits; one name for each episode.
        splits: the split of each episode, where the source says so; None: groups decide.
        grids: the same episodes in a grid, where they are MiniGrid's; they are stored instead.
        left_out: episodes that cannot be used, each with the reason.
        notes: sentences that the user should read.
    """

    source: str
    env_id: str
    observation_space: spaces.Space[Any]
    action_space: spaces.Space[Any]
    trajectories: Sequence[FieldTrajectory]
    groups: Sequence[str]
    splits: Sequence[str] | None = None
    grids: Sequence[Trajectory] | None = None
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Partition:
    """How episodes are divided.

    Attributes:
        validation: share of the episodes for validation.
        test: share of the episodes for testing.
        seed: of the draw that divides them.
    """

    validation: float = 0.05
    test: float = 0.05
    seed: int = 0

    def __post_init__(self) -> None:
        check_shares(self.validation, self.test)


def import_recording(
    recording: Recording, folder: Path, partition: Partition | None = None, config: SpecConfig | None = None
) -> Manifest:
    """Write a recording as a new data set; returns its manifest. The same recording gives the same data set, byte for byte.

    Args:
        recording: at least one episode.
        folder: where the data set goes; made if it does not exist.
        partition: how its episodes are divided; None: 5% for validation, 5% for testing.
        config: how the spec differs from what the data say; None: not at all.

    Raises:
        AnyOrderError: when the folder holds a data set already, no episode can be used, or the spaces cannot become fields.
    """
    folder, partition = Path(folder), partition or Partition()
    if not recording.trajectories:
        first = f" (the first: {recording.left_out[0]})" if recording.left_out else ""
        raise AnyOrderError(f"{recording.source} must hold episodes; found none that can be used{first}")
    with locked(folder):
        refuse_existing(folder)
        asked = {"policy": recording.source, **asdict(partition), "left_out": list(recording.left_out)}
        if recording.notes:
            asked["notes"] = list(recording.notes)
        versions = package_versions() | {"pyarrow": importlib.metadata.version("pyarrow")}
        if recording.grids is not None:
            grids = _divided(recording, recording.grids, partition)
            with none_left_behind(folder):
                manifest = Manifest(recording.env_id, asked, write_splits(folder, grids, write_shard), versions)
                write_manifest(folder, manifest)
            return manifest
        splits = _divided(recording, recording.trajectories, partition)
        training = splits["train"] or next(filter(None, splits.values()))
        spec = fit_spec(recording.observation_space, recording.action_space, training, config)
        with none_left_behind(folder):
            manifest = Manifest(
                recording.env_id,
                asked,
                write_splits(folder, splits, write_field_shard),
                versions,
                content="fields",
                spaces=spaces_to_json(recording.observation_space, recording.action_space),
                fields=spec,
                field_settings=settings_of(config),
            )
            write_manifest(folder, manifest)
        return manifest


def _divided(recording: Recording, episodes: Sequence[Any], partition: Partition) -> dict[str, list[Any]]:
    """Name of a split -> its episodes."""
    splits: dict[str, list[Any]] = {name: [] for name in SPLIT_OFFSETS}
    for number, episode in enumerate(episodes):
        if recording.splits is not None:
            name = recording.splits[number]
        else:
            name = split_by_share(recording.groups[number], partition.seed, partition.validation, partition.test)
        splits[name].append(episode)
    return splits


def success_in(infos: Mapping[str, np.ndarray]) -> bool | None:
    """Whether an episode's infos say that it succeeded, at any step; None where they say nothing."""
    said = [infos[name] for name in SUCCESS_KEYS if name in infos and infos[name].dtype.kind in "biuf"]
    return any(bool((np.nan_to_num(array) > 0).any()) for array in said) if said else None


def mission_in(observations: Mapping[str, np.ndarray]) -> str:
    """The instruction of an episode: its observed text ``mission``, if it is the same throughout; else empty."""
    texts = observations.get(MISSION_PATH)
    if texts is None or texts.dtype.kind != "U" or not (texts == texts[0]).all():
        return ""
    return str(texts[0])
