"""The manifest of a data set: how it was made, and what became of every seed.

Every seed of a split is a row in a shard or a failure in the manifest, so nothing is lost without a trace.
"""

from __future__ import annotations

import importlib.metadata
import os
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from anyorder.config import SpecConfig
from anyorder.elements.spec import Spec
from anyorder.errors import AnyOrderError
from anyorder.files import read_json, write_json
from anyorder.parsing import brief
from anyorder.restoring import restored_from

MANIFEST_VERSION = 3
KNOWN_VERSIONS = (1, 2, 3)
"""Version 2 adds trajectories of any environment, their spaces and their spec; version 3 what is absent of a grid, and what a
model filled in."""
MANIFEST = "manifest.json"
LONGEST_FILE_NAME = 255
"""Bytes, on nearly every file system."""
RECORDED_PACKAGES = ("anyorder", "minigrid", "gymnasium", "numpy")


@dataclass(frozen=True)
class Failure:
    """An episode that has no trajectory, and the reason."""

    seed: int
    reason: str

    @property
    def success(self) -> bool:
        """False: whatever failed did not succeed."""
        return False


@dataclass(frozen=True)
class Shard:
    """One Parquet file: the episodes of ``first_seed..last_seed`` (both included) that did not fail.

    ``num_successes`` counts those that ended with success; None where nothing says so (conversations, older manifests)."""

    file: str
    first_seed: int
    last_seed: int
    num_episodes: int
    num_steps: int
    sha256: str
    num_successes: int | None = None


@dataclass(frozen=True)
class Split:
    """The seeds ``first_seed..last_seed`` (both included) of a split, their shards by rising seed, and their failures."""

    first_seed: int
    last_seed: int
    shards: tuple[Shard, ...] = ()
    failures: tuple[Failure, ...] = ()

    @property
    def num_seeds(self) -> int:
        return self.last_seed - self.first_seed + 1

    @property
    def num_seeds_done(self) -> int:
        return sum(shard.last_seed - shard.first_seed + 1 for shard in self.shards)

    @property
    def complete(self) -> bool:
        return self.num_seeds_done == self.num_seeds

    @property
    def num_episodes(self) -> int:
        return sum(shard.num_episodes for shard in self.shards)

    @property
    def num_steps(self) -> int:
        return sum(shard.num_steps for shard in self.shards)

    @property
    def num_successes(self) -> int | None:
        """Number of episodes that ended with success; None where a shard does not say."""
        counts = [shard.num_successes for shard in self.shards if shard.num_successes is not None]
        return sum(counts) if len(counts) == len(self.shards) else None


def package_versions(*others: str) -> dict[str, str]:
    """Versions of the packages that determine what an episode is; of ``others``, those that are installed."""
    versions = {name: importlib.metadata.version(name) for name in RECORDED_PACKAGES}
    for name in others:
        with suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return versions


@dataclass(frozen=True)
class Manifest:
    """How a data set was made, and where every seed is.

    Attributes:
        env_id: registered gymnasium id, or several joined by ``+`` (`anyorder.envs.minigrid.level_of` says which of them
            a seed plays; every stored episode names its own); for conversations, the files that they come from.
        spec: what was asked for (policy and its options, counts, first seed), as JSON values.
        versions: the packages that made the data set, each with its version.
        splits: name -> split, for each of "train", "validation" and "test" that is not empty. The seeds of conversations are
            their numbers.
        content: "grid" if a row of a shard is an episode in a grid, "text" if it is a conversation, "fields" if it is an
            episode of any other environment.
        spaces: of fields: "observation" and "action" -> the space, as `anyorder.envs.spaces.space_to_json` writes it.
        fields: of fields: the spec that fits the training split, once the data set is finished.
        field_settings: how that spec differs from what the data say, where it does; training heeds it, too, unless its own
            ``data.fields`` say something.
    """

    env_id: str
    spec: dict[str, Any]
    splits: dict[str, Split]
    versions: dict[str, str] = field(default_factory=package_versions)
    content: Literal["grid", "text", "fields"] = "grid"
    spaces: dict[str, Any] | None = None
    fields: Spec | None = None
    field_settings: SpecConfig | None = None

    @property
    def complete(self) -> bool:
        return all(split.complete for split in self.splits.values())

    def with_shard(self, name: str, shard: Shard) -> Manifest:
        """The manifest with a new shard of a split, in the place of one of the same seeds. A spec that was fitted before is
        to be fitted again."""
        split = self.splits[name]
        shards = [*(other for other in split.shards if other.first_seed != shard.first_seed), shard]
        split = replace(split, shards=tuple(sorted(shards, key=lambda one: one.first_seed)))
        return replace(self, splits={**self.splits, name: split}, fields=None)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write ``manifest.json``, atomically. For human readers, each split also gets its numbers of episodes, of steps and,
    where it has any, of episodes that succeeded."""
    content = {"format_version": MANIFEST_VERSION, **_known(asdict(manifest))}
    for name, split in manifest.splits.items():
        written = content["splits"][name]
        written["shards"] = [_known(shard) for shard in written["shards"]]
        numbers = {"num_episodes": split.num_episodes, "num_steps": split.num_steps, "num_successes": split.num_successes}
        written |= _known(numbers)
    write_json(Path(folder) / MANIFEST, content)


def read_manifest(folder: Path) -> Manifest:
    """The manifest in a data set's folder.

    Raises:
        AnyOrderError: when there is no data set, its format version is unknown or its manifest is damaged.
    """
    path = Path(folder) / MANIFEST
    if not path.exists():
        raise AnyOrderError(f"there is no data set in {folder}; make one with `anyorder collect --output_dir {folder}`")
    content = read_json(path)
    version = content.get("format_version") if isinstance(content, dict) else None
    if version not in KNOWN_VERSIONS or not isinstance(version, int):
        known = ", ".join(map(str, KNOWN_VERSIONS))
        raise AnyOrderError(f"{path} has format version {brief(version, 40)}; this anyorder knows {known}; update anyorder")
    manifest: Manifest = restored_from(Manifest, content, str(path), "collect the data anew")
    for name, split in manifest.splits.items():
        if problem := _problem(split):
            raise AnyOrderError(f"{path} is damaged: splits.{name} {problem}; collect the data anew")
    return manifest


def _known(numbers: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in numbers.items() if value is not None}


def _problem(split: Split) -> str:
    """What is wrong with a split whose types are right; empty if nothing is."""
    following = split.first_seed
    for shard in split.shards:
        if Path(shard.file).name != shard.file or len(os.fsencode(shard.file)) > LONGEST_FILE_NAME:
            return (
                f"must name files in the data set's own folder, in at most {LONGEST_FILE_NAME} bytes; found {brief(shard.file)}"
            )
        if shard.first_seed < following or shard.last_seed < shard.first_seed or shard.last_seed > split.last_seed:
            return f"must have shards by rising seed; found one of {shard.first_seed}..{shard.last_seed}"
        if not 0 <= shard.num_episodes <= shard.last_seed - shard.first_seed + 1 or shard.num_steps < 0:
            return f"must have as many episodes as seeds at most; found {shard.num_episodes} in {shard.file}"
        following = shard.last_seed + 1
    if split.complete and split.num_episodes == 0 and not split.failures:
        return "must have an episode or a failure for every seed; found neither"
    return ""
