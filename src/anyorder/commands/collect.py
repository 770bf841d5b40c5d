"""``anyorder collect``: play episodes of an environment and store them as a data set."""

from __future__ import annotations

from collections.abc import Sequence

from anyorder.build.collecting import CollectOptions, collect_parser, run_collect
from anyorder.options import add_trust_option, parse


def collect_command(arguments: Sequence[str]) -> None:
    """Collect, then print what the folder holds."""
    options = collect_parser()
    add_trust_option(options)
    chosen = parse(options, arguments).as_dict()
    chosen.pop("trust_remote_code")  # `parse` has noted it
    run_collect(CollectOptions(**chosen))
