"""``anyorder study``: train and compare variants at several levels and data sizes, write a summary."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonargparse import ArgumentParser

from anyorder.build.collecting import run_collect
from anyorder.commands.environments import add_env_module, allow_named_modules
from anyorder.errors import AnyOrderError
from anyorder.files import write_result
from anyorder.locks import locked
from anyorder.options import add_trust_option, parse, parser

if TYPE_CHECKING:
    from anyorder.studies.study import Study


def study_parser(command: str = "study", default: str | None = None) -> ArgumentParser:
    """The options of the command.

    Args:
        command: its name.
        default: the study that runs if none is named; None: one must be named.
    """
    options = parser(command, "Train and compare variants at several levels and data sizes, write a summary.")
    named = {"default": default} if default else {"required": True}
    options.add_argument("--study", type=str, help="YAML file that says what is compared", **named)
    options.add_argument(
        "--output_dir", type=str, default=None, help="folder for the runs and the summary; default: outputs/NAME"
    )
    options.add_argument("--quick", action="store_true", help="the study's shorter form, for a first look")
    options.add_argument("--num_workers", type=int, default=None, help="runs at a time; default: one per core")
    options.add_argument(
        "--cluster",
        type=str,
        default=None,
        help="spread the runs over the Ray cluster at this address"
        " (HOST:PORT, or auto) instead; its machines share this folder",
    )
    add_env_module(options)
    add_trust_option(options)
    return options


def study_command(arguments: Sequence[str]) -> None:
    """Run the study that is named."""
    run_study(parse(study_parser(), arguments))


def run_study(chosen: Any) -> None:
    """Collect the data if need be, run what has no result, write the summary.

    Args:
        chosen: the parsed options.

    Raises:
        AnyOrderError: when the study cannot be read or run, or, after the summary is written, when runs failed.
        KeyboardInterrupt: with a message that says how to continue.
    """
    allow_named_modules(chosen)
    from anyorder.studies.study_file import read_study  # these imports take seconds

    output = Path(chosen.output_dir or Path("outputs") / Path(chosen.study).stem)
    study = read_study(Path(chosen.study), chosen.quick, output / ("quick" if chosen.quick else "full"))
    with locked(output, study.folder.name):
        _run_locked(study, output, chosen)


def _run_locked(study: Study, output: Path, chosen: Any) -> None:
    from anyorder.studies.cluster import RayCluster
    from anyorder.studies.engines import Cores
    from anyorder.studies.results import RESULTS_FILE, results
    from anyorder.studies.runner import check_runs, run_all
    from anyorder.studies.summary.summary import SUMMARY_FILE, write_summary

    started = time.monotonic()
    check_runs(study.runs())  # before hours of collecting
    try:
        for level in study.levels:
            for wanted in (level.data, *level.more.values()):
                run_collect(wanted)
        engine = RayCluster(chosen.cluster) if chosen.cluster else Cores(chosen.num_workers)
        outcomes = run_all(study.runs(), engine)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("interrupted; finished runs are kept: run the same again to continue") from None
    found = results(study, outcomes, output)
    minutes = (time.monotonic() - started) / 60
    command = f"anyorder study --study {shlex.quote(chosen.study)}{' --quick' if chosen.quick else ''}"
    command += f" --output_dir {shlex.quote(str(output))}"
    write_result(study.folder / RESULTS_FILE, {"command": command, "minutes": minutes, **found})
    summary = output / SUMMARY_FILE
    write_summary(summary, study, found, study.folder / RESULTS_FILE, command, minutes)
    print(f"summary: {summary}")
    if found["failed"]:
        raise AnyOrderError(
            f"{len(found['failed'])} of {len(outcomes)} runs failed, {summary} says why; run again to retry them"
        )
