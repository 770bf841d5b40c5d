"""``anyorder fill``: complete a data set with a checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import torch
from jsonargparse import ArgumentParser

from anyorder.build.filling import FillOptions, fill
from anyorder.evaluation.filling_scores import fill_table
from anyorder.options import add_trust_option, parse, parser
from anyorder.terminal import console


def fill_parser() -> ArgumentParser:
    """The options of the command."""
    options = parser("fill", "Complete a data set with a checkpoint; every filled value is marked, with its probability.")
    options.add_class_arguments(FillOptions)
    add_trust_option(options)
    return options


def fill_command(arguments: Sequence[str]) -> None:
    """Fill in, and print expected beside true accuracy."""
    torch.set_num_threads(1)
    chosen = parse(fill_parser(), arguments)
    scores = fill(FillOptions(**{option.name: chosen[option.name] for option in fields(FillOptions)}))
    console().print(fill_table(scores))
    print(f"the completed data set is in {chosen.output_dir}")
