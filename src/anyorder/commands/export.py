"""``anyorder export``: write a data set in the format of others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from jsonargparse import ArgumentParser

from anyorder.data.exporters.minari_sets import export_minari
from anyorder.options import parse, parser


@dataclass(frozen=True)
class ExportOptions:
    """What to export, and as what.

    Attributes:
        data: folder of the data set, of grids or of fields.
        name: NAMESPACE/NAME-v0 of the new data set, in Minari's local folder (MINARI_DATASETS_PATH).
        format: minari.
    """

    data: str
    name: str
    format: Literal["minari"] = "minari"


def export_parser() -> ArgumentParser:
    """The options of the command."""
    options = parser("export", "Write a data set in the format of Minari; importing it gives the same trajectories again.")
    options.add_class_arguments(ExportOptions)
    return options


def export_command(arguments: Sequence[str]) -> None:
    """Export, then say where to."""
    options = ExportOptions(**parse(export_parser(), arguments).as_dict())
    folder = export_minari(Path(options.data), options.name)
    print(f"{options.name} in {folder}; `anyorder import --input minari:{options.name} --output_dir DIR` reads it again")
