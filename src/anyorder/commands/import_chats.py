"""``anyorder import``: turn files of conversations into a data set of text trajectories."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from jsonargparse import ArgumentParser

from anyorder.data.importers.chats import ImportSpec, import_chats
from anyorder.data.manifest import Manifest
from anyorder.errors import AnyOrderError
from anyorder.options import parse, parser


@dataclass(frozen=True)
class ImportOptions:
    """What to import, and where to.

    Attributes:
        input: chat files with one JSON object per line, or one array of them: a name, or a list [a.jsonl, b.json].
        output_dir: folder of the new data set.
        format: sharegpt (also ETO), agentgym, openai; or auto, which looks at each file's first line.
        validation: share of the tasks for validation.
        test: share of the tasks for testing.
        seed: of the split.
        skip_bad_lines: leave out lines that are wrong, and list them in the manifest.
        task_key: field of a line that names its task, such as info.task_id; attempts at one task never lie in two splits.
    """

    input: str | list[str]
    output_dir: str
    format: str = "auto"
    validation: float = 0.05
    test: float = 0.05
    seed: int = 0
    skip_bad_lines: bool = False
    task_key: str | None = None


def import_parser() -> ArgumentParser:
    """The options of the command."""
    options = parser("import", "Import conversations, a JSON object each, as a data set of text trajectories.")
    options.add_class_arguments(ImportOptions)
    return options


def import_command(arguments: Sequence[str]) -> None:
    """Import, then print what the folder holds."""
    run_import(ImportOptions(**parse(import_parser(), arguments).as_dict()))


def run_import(options: ImportOptions) -> Manifest:
    """Import what the options ask for."""
    files = [options.input] if isinstance(options.input, str) else options.input
    if not files:
        raise AnyOrderError("--input must name at least one file; found none")
    settings = {field.name: getattr(options, field.name) for field in fields(ImportSpec)}
    manifest = import_chats([Path(file) for file in files], Path(options.output_dir), ImportSpec(**settings))
    for name, split in manifest.splits.items():
        print(f"{name:10} {split.num_episodes:6,} trajectories {split.num_steps:8,} actions")
    skipped = manifest.spec["skipped_lines"]
    left_out = f"; {len(skipped)} lines left out (listed in the manifest)" if skipped else ""
    print(f"{manifest.env_id} in {options.output_dir}{left_out}")
    for note in manifest.spec.get("notes", []):
        print(f"note: {note}", file=sys.stderr)
    return manifest
