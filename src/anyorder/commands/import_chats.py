"""``anyorder import``: turn conversations, or episodes recorded elsewhere, into a data set."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from importlib import import_module
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser

from anyorder.config import SpecConfig
from anyorder.data.importers.chats.importing import ImportSpec, import_chats
from anyorder.data.importers.recording import Partition, Recording, import_recording
from anyorder.data.manifest import Manifest
from anyorder.errors import AnyOrderError
from anyorder.options import parse, parser
from anyorder.terminal import console, titled_table


@dataclass(frozen=True)
class ImportOptions:
    """What to import, and where to.

    Attributes:
        input: minari:NAMESPACE/NAME-v0 or lerobot:FOLDER, or the folder of one of these; or conversations in files of JSON
            Lines, JSON, Parquet or Arrow, compressed or not, or folders of such files: a name, or a list [a.jsonl, b].
        output_dir: folder of the new data set.
        format: of conversations: openai, chatgpt and claude (what these services export), sharegpt (also ETO), agentgym,
            responses, pairs, steps, text; or auto, which looks at each file's first line.
        validation: share of the tasks, or of the episodes, for validation.
        test: share of the tasks, or of the episodes, for testing.
        seed: of the split.
        skip_bad_lines: of conversations: leave out lines that are wrong, and list them in the manifest.
        task_key: of conversations: field of a line that names its task, such as info.task_id; attempts at one task never
            lie in two splits.
        roles: of conversations: what a speaker is whose name is not known, one of system, user, assistant and tool, such as
            {expert: assistant}.
    """

    input: str | list[str]
    output_dir: str
    format: str = "auto"
    validation: float = 0.05
    test: float = 0.05
    seed: int = 0
    skip_bad_lines: bool = False
    task_key: str | None = None
    roles: dict[str, str] | None = None


READERS = {"minari": "minari_sets:read_minari", "lerobot": "lerobot:read_lerobot"}
"""Format of recorded episodes -> what reads them, under `anyorder.data.importers`."""
OF_CONVERSATIONS = ("format", "skip_bad_lines", "task_key", "roles")


def import_parser() -> ArgumentParser:
    """The options of the command."""
    options = parser("import", "Import conversations or recorded episodes as a data set.")
    options.add_class_arguments(ImportOptions)
    options.add_class_arguments(SpecConfig, "data.fields")
    return options


def import_command(arguments: Sequence[str]) -> None:
    """Import, then print what the folder holds."""
    chosen = parse(import_parser(), arguments)
    settings = {field.name: chosen[field.name] for field in fields(ImportOptions)}
    run_import(ImportOptions(**settings), chosen.data.fields)


def run_import(options: ImportOptions, config: SpecConfig | None = None) -> Manifest:
    """Import what the options ask for.

    Args:
        options: of the command.
        config: of recorded episodes: how their spec differs from what the data say.
    """
    inputs = [options.input] if isinstance(options.input, str) else options.input
    if not inputs:
        raise AnyOrderError("--input must name at least one file; found none")
    formats = {_format_of_recording(one) for one in inputs}
    manifest = _chats(inputs, options) if formats == {None} else _recorded(inputs, options, config or SpecConfig())
    for name, split in manifest.splits.items():
        print(f"{name:10} {split.num_episodes:6,} trajectories {split.num_steps:8,} actions")
    print(f"{manifest.env_id} in {options.output_dir}{_left_out(manifest.spec)}")
    if manifest.fields is not None:
        print(f"fields: {', '.join(manifest.fields.names)}")
        for name, reason in manifest.fields.left_out.items():
            print(f"left out: {name} ({reason})")
    _show_kept_keys(manifest.spec)
    for note in manifest.spec.get("notes", []):
        print(f"note: {note}", file=sys.stderr)
    return manifest


def _format_of_recording(name: str) -> str | None:
    """The format of recorded episodes that an input names, by its beginning or by what its folder holds; None for
    conversations."""
    start, _, rest = name.partition(":")
    if rest and start in READERS:
        return start
    folder = Path(name)
    if not folder.is_dir():
        return None
    if (folder / "meta" / "info.json").is_file():
        return "lerobot"
    if any((part / "metadata.json").is_file() for part in (folder, folder / "data")):
        return "minari"
    return None


def _recorded(inputs: Sequence[str], options: ImportOptions, config: SpecConfig) -> Manifest:
    if len(inputs) > 1:
        raise AnyOrderError(
            f"--input must name one data set of recorded episodes; found {len(inputs)} inputs; import each alone"
        )
    for name in OF_CONVERSATIONS:
        if getattr(options, name) != getattr(ImportOptions, name):
            raise AnyOrderError(f"--{name} is for conversations; leave it out to import recorded episodes")
    partition = Partition(options.validation, options.test, options.seed)
    found = _format_of_recording(inputs[0])
    assert found is not None
    module, function = READERS[found].split(":")
    read = getattr(import_module(f"anyorder.data.importers.{module}"), function)
    name = inputs[0].removeprefix(f"{found}:")
    recording: Recording = read(name, tuple(config.leave_out or ()))
    return import_recording(recording, Path(options.output_dir), partition, config)


def _chats(inputs: Sequence[str], options: ImportOptions) -> Manifest:
    settings = {field.name: getattr(options, field.name) for field in fields(ImportSpec)}
    return import_chats([Path(file) for file in inputs], Path(options.output_dir), ImportSpec(**settings))


def _show_kept_keys(spec: Mapping[str, Any]) -> None:
    """Which keys of conversations were not understood, if there are any."""
    if not (kept := spec.get("kept_keys")):
        return
    table = titled_table("Keys not understood", "key", "where", "how many")
    for one in kept:
        table.add_row(one["key"], one["where"], f"{one['count']:,}")
    console().print(table)
    print(
        "They are kept beside the text, neither shown to a model nor obeyed; if one excludes turns from learning, rename it to"
        " loss, with false for these turns."
    )


def _left_out(spec: Mapping[str, Any]) -> str:
    for key, what in (("skipped_lines", "lines"), ("left_out", "episodes")):
        if spec.get(key):
            return f"; {len(spec[key])} {what} left out (listed in the manifest)"
    return ""
