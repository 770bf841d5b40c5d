"""``anyorder ablate``: `anyorder study` with the planned ablations."""

from __future__ import annotations

from collections.abc import Sequence

from jsonargparse import ArgumentParser

from anyorder.commands.study import run_study, study_parser
from anyorder.options import parse


def ablate_parser() -> ArgumentParser:
    """The options of the command."""
    return study_parser("ablate", "configs/ablations.yaml")


def ablate_command(arguments: Sequence[str]) -> None:
    """Run the planned ablations, or the study that is named instead."""
    run_study(parse(ablate_parser(), arguments))
