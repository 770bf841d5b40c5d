"""Importing chat files: from lines to a data set folder that accounts for every one of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.progress import track

from anyorder.data.collect import SHARD_SIZE, SPLIT_OFFSETS
from anyorder.data.importers.formats import FORMATS
from anyorder.data.importers.reading import WrongLine, format_of, read_chat
from anyorder.data.manifest import MANIFEST, Manifest, Split, write_manifest
from anyorder.data.text_storage import write_text_shard
from anyorder.errors import AnyOrderError
from anyorder.files import sha256
from anyorder.types import TextTrajectory


@dataclass(frozen=True)
class ImportSpec:
    """How to import.

    Attributes:
        format: one of `FORMATS`, or ``auto``: each file's first line decides.
        validation: share of the tasks for validation.
        test: share of the tasks for testing.
        seed: of the split.
        skip_bad_lines: leave lines out that are wrong, and list them in the manifest; otherwise the first one ends all.
    """

    format: str = "auto"
    validation: float = 0.05
    test: float = 0.05
    seed: int = 0
    skip_bad_lines: bool = False

    def __post_init__(self) -> None:
        if self.format not in ("auto", *FORMATS):
            raise AnyOrderError(f"the formats are auto, {', '.join(FORMATS)}; found {self.format!r}")
        if min(self.validation, self.test) < 0 or not self.validation + self.test < 1:
            found = f"{self.validation} and {self.test}"
            raise AnyOrderError(f"validation and test are shares whose sum is below 1, found {found}")


def import_chats(files: Sequence[Path], folder: Path, spec: ImportSpec) -> Manifest:
    """Import chat files into a new data set folder. The same files and spec give the same data set, byte for byte.

    Trajectories of one task never lie in two splits; see `task_of`.

    Args:
        files: in order.
        folder: of the data set; made if need be.
        spec: how.

    Raises:
        AnyOrderError: naming file and line of the first that is wrong, unless they are skipped; when the folder holds
            a data set, or nothing is left to store.
    """
    files, folder = [Path(file) for file in files], Path(folder)
    if (folder / MANIFEST).exists():
        raise AnyOrderError(f"{folder} holds a data set already; choose another folder, or delete this one")
    splits: dict[str, list[TextTrajectory]] = {name: [] for name in SPLIT_OFFSETS}
    inputs, wrong, console = [], [], Console(stderr=True)
    for file in files:
        name = format_of(file) if spec.format == "auto" else spec.format
        before = sum(map(len, splits.values()))
        for found in track(read_chat(file, name), file.name, console=console, disable=not console.is_terminal):
            if isinstance(found, WrongLine):
                if not spec.skip_bad_lines:
                    raise AnyOrderError(f"{found}; correct it, or leave such lines out with --skip_bad_lines true")
                wrong.append(found)
            else:
                splits[split_of(found, spec)].append(found)
        num = sum(map(len, splits.values())) - before
        inputs.append({"file": file.name, "format": name, "sha256": sha256(file), "num_trajectories": num})
    if not any(splits.values()):
        first = f" (the first: {wrong[0]})" if wrong else ""
        raise AnyOrderError(f"expected conversations in {', '.join(map(str, files))}, found none that is right{first}")
    written = {name: _write(folder, name, found) for name, found in splits.items() if found}
    content = {**asdict(spec), "inputs": inputs, "skipped_lines": [asdict(line) for line in wrong]}
    source = ", ".join(file.name for file in files)
    manifest = Manifest(source, content, written, {"anyorder": version("anyorder")}, content="text")
    write_manifest(folder, manifest)
    return manifest


def task_of(trajectory: TextTrajectory) -> str:
    """What is told before the agent's first action (the first action, if nothing is), white space aside: several
    attempts at it are one task."""
    texts: list[str] = []
    for turn in trajectory.turns:
        if turn.part == "action":
            return " ".join(texts) or " ".join(turn.text.split())
        texts.append(" ".join(turn.text.split()))
    raise ValueError("a trajectory has an action")


def split_of(trajectory: TextTrajectory, spec: ImportSpec) -> str:
    """Which split a trajectory's task belongs to, from a hash of the task and the seed; whatever else is imported."""
    digest = hashlib.sha256(f"{spec.seed}\n{task_of(trajectory)}".encode()).digest()
    share = int.from_bytes(digest[:8], "big") / 2**64
    if share < spec.test:
        return "test"
    return "validation" if share < spec.test + spec.validation else "train"


def _write(folder: Path, name: str, trajectories: Sequence[TextTrajectory]) -> Split:
    first = SPLIT_OFFSETS[name]
    shards = []
    for start in range(0, len(trajectories), SHARD_SIZE):
        part = trajectories[start : start + SHARD_SIZE]
        numbers = range(first + start, first + start + len(part))
        shards.append(write_text_shard(folder / f"{name}-{numbers[0]:08d}.parquet", numbers, part))
    return Split(first, first + len(trajectories) - 1, tuple(shards))
