"""A data set made from another one, shard by shard: interrupted, it goes on where it stopped."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from anyorder.data.field_storage import read_field_shard, with_spec, write_field_shard
from anyorder.data.manifest import MANIFEST, Manifest, Shard, package_versions, read_manifest, write_manifest
from anyorder.data.storage import read_shard, shard_error, shards_of, write_shard
from anyorder.errors import AnyOrderError
from anyorder.files import differences, json_digest
from anyorder.locks import locked
from anyorder.terminal import progress_bars

Change = Callable[[str, Sequence[Any], Callable[[int], None]], Sequence[Any]]
"""From the name of a split, some of its trajectories, and a function that says how many more are done, to as many others."""
SOURCE = "source"
"""What the manifest calls the digest of the data set that another one was made from."""


def rewrite(source: Path, folder: Path, record: Mapping[str, Any], change: Change, title: str) -> Manifest:
    """Make a data set from another one, or the rest of one that was interrupted; a finished one is checked and left as it is.
    Progress goes to stderr.

    Args:
        source: folder of the data set that is read.
        folder: where the new one goes; made if it does not exist.
        record: what the new manifest says beside what the old one says of how it was made, as JSON values.
        change: makes the trajectories of the new data set.
        title: of the progress bar.

    Raises:
        AnyOrderError: when the source is missing, damaged, unfinished or holds conversations, or when the folder holds another
            data set or is being written.
        KeyboardInterrupt: when the user interrupts; its message says what is kept and how to continue.
    """
    before = read_manifest(source)
    if before.content == "text":
        raise AnyOrderError(f"the data set must be one of grids or fields; found conversations in {source}; choose another")
    if source.resolve() == folder.resolve():
        raise AnyOrderError(f"the new data set must have a folder of its own; found {folder} for both; choose another")
    for name, split in before.splits.items():
        if split.num_episodes:
            shards_of(source, name, before.content)  # all of it is there
    wanted = _wanted(before, record)
    manifest = _opened(folder, wanted)
    if not any(_left(folder, before, manifest)) and _has_its_spec(manifest):
        return manifest
    with locked(folder):
        _copy(source, folder, before, manifest, change, title)
        manifest = read_manifest(folder)
        return manifest if _has_its_spec(manifest) else with_spec(folder, manifest.field_settings)


def _has_its_spec(manifest: Manifest) -> bool:
    return manifest.content == "grid" or manifest.fields is not None


def _wanted(before: Manifest, record: Mapping[str, Any]) -> Manifest:
    """The manifest to begin with."""
    digest = json_digest([shard.sha256 for split in before.splits.values() for shard in split.shards])
    splits = {name: replace(split, shards=()) for name, split in before.splits.items()}
    versions = {**before.versions, **package_versions()}
    return replace(before, spec={**before.spec, **record, SOURCE: digest}, splits=splits, versions=versions, fields=None)


def _opened(folder: Path, wanted: Manifest) -> Manifest:
    if not (folder / MANIFEST).exists():
        return wanted
    found = read_manifest(folder)
    if others := differences(found.spec, wanted.spec):
        raise AnyOrderError(f"{folder} holds another data set ({'; '.join(others)}); choose another folder or delete this one")
    return found


def _left(folder: Path, before: Manifest, manifest: Manifest) -> list[tuple[str, Shard]]:
    """The split and the old shard of what is not yet whole in the new folder."""
    whole = {
        (name, shard.first_seed)
        for name, split in manifest.splits.items()
        for shard in split.shards
        if shard_error(folder, shard) is None
    }
    return [
        (name, shard)
        for name, split in before.splits.items()
        for shard in split.shards
        if (name, shard.first_seed) not in whole
    ]


def _copy(source: Path, folder: Path, before: Manifest, manifest: Manifest, change: Change, title: str) -> None:
    read, write = (read_shard, write_shard) if before.content == "grid" else (read_field_shard, write_field_shard)
    left = _left(folder, before, manifest)
    try:
        with progress_bars() as bars:
            bar = bars.add_task(title, total=sum(shard.num_episodes for _, shard in left))
            for name, shard in left:
                made = change(name, read(source, shard), partial(bars.advance, bar))
                seeds = range(shard.first_seed, shard.last_seed + 1)
                new = write(folder / shard.file, seeds, made)
                manifest = manifest.with_shard(name, new)
                write_manifest(folder, manifest)
            if not left:
                write_manifest(folder, manifest)
    except KeyboardInterrupt:
        done = sum(split.num_episodes for split in manifest.splits.values())
        message = f"interrupted; {done:,} episodes are kept in {folder}: run the same again to continue"
        raise KeyboardInterrupt(message) from None
