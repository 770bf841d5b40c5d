"""``anyorder collect``: play episodes of an environment and store them as a data set."""

from __future__ import annotations

from collections.abc import Sequence

from anyorder.build.collecting import CollectOptions, collect_parser, run_collect
from anyorder.commands.environments import allow_named_modules
from anyorder.options import parse


def collect_command(arguments: Sequence[str]) -> None:
    """Collect, then print what the folder holds."""
    chosen = parse(collect_parser(), arguments)
    allow_named_modules(chosen)
    run_collect(CollectOptions(**chosen.as_dict()))
