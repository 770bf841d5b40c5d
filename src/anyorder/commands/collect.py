"""``anyorder collect``: play episodes of an environment and store them as a data set."""

from __future__ import annotations

from collections.abc import Sequence

from anyorder.build.collecting import CollectOptions, collect_parser, run_collect
from anyorder.options import parse


def collect_command(arguments: Sequence[str]) -> None:
    """Collect, then print what the folder holds."""
    run_collect(CollectOptions(**parse(collect_parser(), arguments).as_dict()))
