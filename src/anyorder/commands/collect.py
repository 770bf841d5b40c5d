"""``anyorder collect``: play episodes of an environment and store them as a data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from anyorder.build.collecting import CollectOptions, collect_parser, run_collect
from anyorder.commands.environments import allow_named_modules
from anyorder.options import add_trust_option, parse


def collect_command(arguments: Sequence[str]) -> None:
    """Collect, then print what the folder holds."""
    options = collect_parser()
    add_trust_option(options)
    chosen = parse(options, arguments)
    allow_named_modules(chosen)
    settings = {field.name: chosen[field.name] for field in fields(CollectOptions)}
    run_collect(CollectOptions(**settings), chosen.data.fields)
