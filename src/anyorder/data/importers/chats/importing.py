"""How chat files are imported: from lines to a data set folder that accounts for every line."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from anyorder.data.importers.chats.kept import kept_keys
from anyorder.data.importers.chats.reading import UnknownFormat, WrongLine, format_of, read_together
from anyorder.data.importers.chats.shapes import FORMATS
from anyorder.data.importers.chats.sources import ChatFile, chat_files
from anyorder.data.importers.chats.speakers import SPEAKERS
from anyorder.data.importers.chats.tasks import notes_on, task_of
from anyorder.data.importers.chats.values import BadLine
from anyorder.data.importers.shares import check_shares, split_by_share
from anyorder.data.importers.writing import none_left_behind, refuse_existing, write_splits
from anyorder.data.manifest import Manifest, write_manifest
from anyorder.data.text_storage import write_text_shard
from anyorder.envs.splits import SPLIT_OFFSETS
from anyorder.errors import AnyOrderError
from anyorder.files import sha256
from anyorder.locks import locked
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
        task_key: the path of the field of a line that names its task, such as ``info.task_id``; None: the text before the
            agent's first action tells tasks apart.
        roles: name of a speaker -> what it is, one of `SPEAKERS`; for names that are not known, or mean something else.
    """

    format: str = "auto"
    validation: float = 0.05
    test: float = 0.05
    seed: int = 0
    skip_bad_lines: bool = False
    task_key: str | None = None
    roles: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        if self.format not in ("auto", *FORMATS):
            raise AnyOrderError(f"the format must be one of auto, {', '.join(FORMATS)}; found {self.format!r}")
        for name, role in (self.roles or {}).items():
            if role not in SPEAKERS:
                raise AnyOrderError(f"the roles must be among {', '.join(SPEAKERS)}; found {role!r} for {name!r}")
        check_shares(self.validation, self.test)

    @property
    def shares(self) -> dict[str, float]:
        """The share of the tasks that each split is to have."""
        return {"train": 1 - self.validation - self.test, "validation": self.validation, "test": self.test}


def import_chats(files: Sequence[Path], folder: Path, spec: ImportSpec) -> Manifest:
    """Import chat files, or folders of them, into a new data set folder.

    The same files and spec give the same data set, byte for byte.

    Trajectories of one task never lie in two splits; see `task_of`. What a user should know about the import stands in the
    manifest's spec as ``notes``, and which keys were not understood as ``kept_keys``, if there are any.

    Args:
        files: the files and folders to import, in order.
        folder: where the data set goes; made if it does not exist.
        spec: how to import.

    Raises:
        AnyOrderError: for the first wrong line, with its file and number, unless wrong lines are skipped; when the folder
            holds a data set already; or when no line is left to store.
    """
    with locked(folder):
        return _import([Path(file) for file in files], Path(folder), spec)


def _import(files: Sequence[Path], folder: Path, spec: ImportSpec) -> Manifest:
    refuse_existing(folder)
    splits: dict[str, list[TextTrajectory]] = {name: [] for name in SPLIT_OFFSETS}
    inputs, wrong, notes = [], [], []
    for one in files:
        found, ignored = chat_files(one)
        notes += [_on_ignored(one, ignored)] if ignored else []
        notes += _on_splits_of_files(found)
        formats, unknown = _formats(found, spec)
        wrong += unknown
        counts, left_out = _read_into(splits, one.name, formats, spec)
        wrong += left_out
        inputs += [
            {"file": file.name, "format": name, "sha256": sha256(file.path), "num_trajectories": counts[file.name]}
            for file, name in formats
        ]
    if not any(splits.values()):
        first = f" (the first: {wrong[0]})" if wrong else ""
        raise AnyOrderError(f"expected conversations in {', '.join(map(str, files))}, found no valid one{first}")
    settings = {name: value for name, value in asdict(spec).items() if name not in ("task_key", "roles") or value is not None}
    content = {**settings, "inputs": inputs, "skipped_lines": [asdict(line) for line in wrong]}
    if kept := kept_keys(trajectory for split in splits.values() for trajectory in split):
        content["kept_keys"] = kept
    if notes := [*notes, *notes_on(splits, spec.shares, spec.task_key)]:
        content["notes"] = notes
    source = ", ".join(file.name for file in files)
    versions = {"anyorder": version("anyorder")}
    with none_left_behind(folder):
        written = write_splits(folder, splits, write_text_shard)
        manifest = Manifest(source, content, written, versions, content="text")
        write_manifest(folder, manifest)
    return manifest


def split_of(trajectory: TextTrajectory, spec: ImportSpec) -> str:
    """The split of a trajectory. It depends on the spec and a hash of the task and the seed, not on the other trajectories.

    Raises:
        BadLine: as `task_of` does.
    """
    return split_by_share(task_of(trajectory, spec.task_key), spec.seed, spec.validation, spec.test)


def _formats(files: Sequence[ChatFile], spec: ImportSpec) -> tuple[list[tuple[ChatFile, str]], list[WrongLine]]:
    """Each file with its format; and the files without one, where wrong lines are left out.

    Raises:
        AnyOrderError: for a file without a known format, unless wrong lines are skipped.
    """
    found: list[tuple[ChatFile, str]] = []
    unknown: list[WrongLine] = []
    for file in files:
        try:
            found.append((file, format_of(file.path, file.name) if spec.format == "auto" else spec.format))
        except UnknownFormat as error:
            if not spec.skip_bad_lines:
                raise
            unknown.append(error.line)
    return found, unknown


def _on_ignored(folder: Path, ignored: Sequence[str]) -> str:
    more = f" and {len(ignored) - 10:,} more" if len(ignored) > 10 else ""
    return f"{folder} holds files that were not read, since their names are not those of conversations: " + (
        f"{', '.join(ignored[:10])}{more}"
    )


def _on_splits_of_files(files: Sequence[ChatFile]) -> list[str]:
    """A sentence about files that were several splits where they come from."""
    words = {word for file in files for word in re.findall(r"[a-z]+", file.name.lower())}
    names = [name for name in ("train", "training", "validation", "valid", "val", "dev", "test", "eval") if name in words]
    if len(names) < 2:
        return []
    return [
        f"files of several splits ({', '.join(names)}) are imported together, and divided anew by their tasks; to keep a split"
        " out, name the files of the others"
    ]


def _read_into(
    splits: dict[str, list[TextTrajectory]], label: str, files: Sequence[tuple[ChatFile, str]], spec: ImportSpec
) -> tuple[Counter[str], list[WrongLine]]:
    """Read the files of one input into the splits; returns how many trajectories each file has, and the wrong lines.

    Raises:
        AnyOrderError: for the first wrong line, unless wrong lines are skipped.
    """
    counts: Counter[str] = Counter()
    wrong: list[WrongLine] = []
    for found in tracked(read_together(files, spec.roles), label):
        line = found if isinstance(found, WrongLine) else _keep(splits, counts, found, spec)
        if line and not spec.skip_bad_lines:
            raise AnyOrderError(f"{line}; correct it, or leave such lines out with --skip_bad_lines true")
        wrong += [line] if line else []
    return counts, wrong


def _keep(
    splits: dict[str, list[TextTrajectory]], counts: Counter[str], trajectory: TextTrajectory, spec: ImportSpec
) -> WrongLine | None:
    """Add a trajectory to its split, and count it; returns what is wrong with its line if it names no task."""
    file, _, number = trajectory.source.rpartition(":")
    try:
        splits[split_of(trajectory, spec)].append(trajectory)
    except BadLine as error:
        return WrongLine(file, int(number), str(error))
    counts[file] += 1
    return None
