"""``anyorder report``: one or several runs as an HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import ArgumentParser

from anyorder.commands.environments import add_env_module, allow_named_modules
from anyorder.errors import AnyOrderError
from anyorder.files import replacing
from anyorder.locks import locked
from anyorder.options import add_trust_option, parse, parser
from anyorder.terminal import progress_bars

if TYPE_CHECKING:
    from anyorder.report.any_run import AnyRun


def report_parser() -> ArgumentParser:
    """The options of the command."""
    options = parser("report", "Write one HTML page about a run, or about several side by side. It needs no network.")
    add = options.add_argument
    add("runs", type=str, nargs="+", help="folders that `anyorder train` wrote, evaluated or not")
    add("--output", type=str, help="the file; default: report/report.html in the first run's folder")
    add(
        "--num_shown", type=int, default=4, help="how many trajectories the page shows, and how many solved and failed episodes"
    )
    add_env_module(options)
    add_trust_option(options)
    return options


def report_command(arguments: Sequence[str]) -> None:
    """Write the page and say where it is."""
    chosen = parse(report_parser(), arguments)
    if chosen.num_shown < 1:
        raise AnyOrderError(f"num_shown must be at least 1; found {chosen.num_shown}")
    allow_named_modules(chosen)
    import torch  # these imports take seconds

    from anyorder.report.any_run import read_any_run

    torch.set_num_threads(1)
    runs = [read_any_run(Path(folder)) for folder in chosen.runs]
    output = Path(chosen.output) if chosen.output else runs[0].folder / "report" / "report.html"
    with locked(output.parent):
        size = _write_page(runs, output, chosen.num_shown)
    print(f"{output}: {size / 1e6:.1f} MB")
    for run in runs:
        for sentence in run.missing():
            print(f"{run.name}: {sentence}")


def _write_page(runs: Sequence[AnyRun], output: Path, num_shown: int) -> int:
    """Write the page; returns its number of characters."""
    from anyorder.report.page import num_parts, report_page

    with progress_bars() as bars:
        task = bars.add_task("playing what the page shows", total=num_parts(runs))
        page = report_page(runs, num_shown, lambda: bars.advance(task))
    with replacing(output) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return len(page)
