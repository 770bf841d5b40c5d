"""How chat files are imported: from lines to a data set folder that accounts for every line."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from anyorder.data.collect import SHARD_SIZE, SPLIT_OFFSETS
from anyorder.data.importers.formats import FORMATS
from anyorder.data.importers.reading import WrongLine, format_of, read_chat
from anyorder.data.manifest import MANIFEST, Manifest, Split, write_manifest
from anyorder.data.text_storage import write_text_shard
from anyorder.errors import AnyOrderError
from anyorder.files import sha256
from anyorder.terminal import tracked
from anyorder.types import TextTrajectory


@dataclass(frozen=True)
class ImportSpec:
    """How to import.

    Attributes:
        format: one of `FORMATS`; or ``auto``, which detects the format of each file from its first line.
        validation: share of the tasks for validation.
        test: share of the tasks for testing.
        seed: of the draw that divides the tasks into splits.
        skip_bad_lines: True leaves wrong lines out and lists them in the manifest; False stops at the first wrong line.
    """

    format: str = "auto"
    validation: float = 0.05
    test: float = 0.05
    seed: int = 0
    skip_bad_lines: bool = False

    def __post_init__(self) -> None:
        if self.format not in ("auto", *FORMATS):
            raise AnyOrderError(f"the format must be one of auto, {', '.join(FORMATS)}; found {self.format!r}")
        if min(self.validation, self.test) < 0 or not self.validation + self.test < 1:
            found = f"{self.validation} and {self.test}"
            raise AnyOrderError(f"validation and test must be shares with a sum below 1; found {found}")


def import_chats(files: Sequence[Path], folder: Path, spec: ImportSpec) -> Manifest:
    """Import chat files into a new data set folder. The same files and spec give the same data set, byte for byte.

    Trajectories of one task never lie in two splits; see `task_of`.

    Args:
        files: the files to import, in order.
        folder: where the data set goes; made if it does not exist.
        spec: how to import.

    Raises:
        AnyOrderError: for the first wrong line, with its file and number, unless wrong lines are skipped; when the folder
            holds a data set already; or when no line is left to store.
    """
    files, folder = [Path(file) for file in files], Path(folder)
    if (folder / MANIFEST).exists():
        raise AnyOrderError(f"{folder} holds a data set already; choose another folder, or delete this one")
    splits: dict[str, list[TextTrajectory]] = {name: [] for name in SPLIT_OFFSETS}
    inputs, wrong = [], []
    for file in files:
        name = format_of(file) if spec.format == "auto" else spec.format
        before = sum(map(len, splits.values()))
        for found in tracked(read_chat(file, name), file.name):
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
        raise AnyOrderError(f"expected conversations in {', '.join(map(str, files))}, found no valid one{first}")
    written = {name: _write(folder, name, found) for name, found in splits.items() if found}
    content = {**asdict(spec), "inputs": inputs, "skipped_lines": [asdict(line) for line in wrong]}
    source = ", ".join(file.name for file in files)
    manifest = Manifest(source, content, written, {"anyorder": version("anyorder")}, content="text")
    write_manifest(folder, manifest)
    return manifest


def task_of(trajectory: TextTrajectory) -> str:
    """The task that a trajectory attempts: all text before the agent's first action, or that action if nothing precedes it.
    White space is normalised, so that several attempts at one task have equal texts."""
    texts: list[str] = []
    for turn in trajectory.turns:
        if turn.part == "action":
            return " ".join(texts) or " ".join(turn.text.split())
        texts.append(" ".join(turn.text.split()))
    raise ValueError("a trajectory must have an action; found none")


def split_of(trajectory: TextTrajectory, spec: ImportSpec) -> str:
    """The split of a trajectory. It depends on the spec and a hash of the task and the seed, not on what else is imported."""
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
