"""``anyorder evaluate``: score a checkpoint and let it act."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from jsonargparse import ArgumentParser

from anyorder.build.judging import evaluated
from anyorder.evaluation.evaluate import EvaluationConfig
from anyorder.evaluation.findings import Findings
from anyorder.options import add_trust_option, parse, parser
from anyorder.report.markdown import write_report
from anyorder.studies.promises import check_promises, read_promises
from anyorder.terminal import console


def evaluate_parser() -> ArgumentParser:
    """The options of the command."""
    options = parser("evaluate", "Score a checkpoint and let it act.")
    options.add_argument("--checkpoint", type=str, required=True, help="e.g. outputs/run/checkpoints/best.pt")
    options.add_argument("--env", type=str, help="environment it acts in; default: the one its data came from")
    options.add_argument("--data", type=str, help="data set folder; default: the one it was trained on")
    options.add_argument("--output_dir", type=str, help="folder for the results; default: report, in the folder of its run")
    options.add_argument("--promises", type=str, help="YAML file of figures to reach; exit status 1 if one is missed")
    options.add_class_arguments(EvaluationConfig)
    add_trust_option(options)
    return options


def evaluate_command(arguments: Sequence[str]) -> None:
    """Evaluate, print the tables and, where promises are given, whether they are kept (exit status 1 if not)."""
    chosen = parse(evaluate_parser(), arguments)
    config = EvaluationConfig(**{option.name: chosen[option.name] for option in fields(EvaluationConfig)})
    promises = read_promises(Path(chosen.promises)) if chosen.promises else []
    folder = Path(chosen.output_dir) if chosen.output_dir else None
    findings, folder = judge(Path(chosen.checkpoint), config, chosen.env, chosen.data, folder)
    screen = console()
    for table in findings.tables(config.metrics):
        screen.print(table)
    print(f"results are in {folder}")
    if promises:
        table, kept = check_promises(promises, findings.to_json())
        screen.print(table)
        if not kept:
            sys.exit(1)


def judge(
    checkpoint: Path,
    config: EvaluationConfig,
    env_id: str | None = None,
    data: str | None = None,
    folder: Path | None = None,
) -> tuple[Findings, Path]:
    """Evaluate a checkpoint and write the report of its run; returns the findings and the folder they are in.

    Args:
        checkpoint: weights of a run.
        config: what is judged.
        env_id: where episodes are played; None: where the training data came from.
        data: data set folder with train and test splits; None: the one it was trained on.
        folder: where results go; None: ``report`` in the run's folder.
    """
    run = checkpoint.absolute().parent.parent
    folder = folder or run / "report"
    findings, header = evaluated(checkpoint, config, folder, env_id, data)
    write_report(folder, run, header, findings, config)
    return findings, folder
