"""How imported episodes become a data set folder, whatever they are: all of it, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from anyorder.data.collect import SHARD_SIZE
from anyorder.data.manifest import MANIFEST, Shard, Split
from anyorder.envs.splits import SPLIT_OFFSETS
from anyorder.errors import AnyOrderError

EpisodeT = TypeVar("EpisodeT")


def refuse_existing(folder: Path) -> None:
    """Raise an AnyOrderError if a folder holds a data set."""
    if (folder / MANIFEST).exists():
        raise AnyOrderError(f"{folder} holds a data set already; choose another folder, or delete this one")


@contextmanager
def none_left_behind(folder: Path) -> Iterator[None]:
    """Remove the new shards if the data set does not come to its end: a shard without a manifest is of no use."""
    before = set(folder.glob("*.parquet"))
    try:
        yield
    except BaseException:
        for shard in set(folder.glob("*.parquet")) - before:
            shard.unlink()
        raise


def write_splits(
    folder: Path,
    splits: Mapping[str, Sequence[EpisodeT]],
    write: Callable[[Path, range, Sequence[EpisodeT]], Shard],
) -> dict[str, Split]:
    """Write the shards of each split that is not empty; returns the splits. Their seeds are the numbers of their episodes.

    Args:
        folder: of the data set.
        splits: name -> its episodes.
        write: writes a shard, such as `anyorder.data.text_storage.write_text_shard`.
    """
    return {name: _write(folder, name, splits[name], write) for name in SPLIT_OFFSETS if splits.get(name)}


def _write(
    folder: Path, name: str, episodes: Sequence[EpisodeT], write: Callable[[Path, range, Sequence[EpisodeT]], Shard]
) -> Split:
    first = SPLIT_OFFSETS[name]
    shards = []
    for start in range(0, len(episodes), SHARD_SIZE):
        part = episodes[start : start + SHARD_SIZE]
        numbers = range(first + start, first + start + len(part))
        shards.append(write(folder / f"{name}-{numbers[0]:08d}.parquet", numbers, part))
    return Split(first, first + len(episodes) - 1, tuple(shards))
