"""``anyorder train``: train a model on a data set."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import fields
from functools import partial
from pathlib import Path

from jsonargparse import ArgumentParser

from anyorder.config import RunConfig
from anyorder.locks import locked
from anyorder.options import parse, parser


def train_parser() -> ArgumentParser:
    """The options of the command."""
    options = parser("train", "Train a model on a data set.")
    options.add_argument("--config", action="config", help="YAML file; what it leaves out keeps its default")
    options.add_argument("--output_dir", type=str, default="outputs/run", help="folder of the run")
    options.add_argument("--resume", action="store_true", help="continue the run in the folder, if there is one")
    options.add_class_arguments(RunConfig)
    return options


def train_command(arguments: Sequence[str]) -> None:
    """Read the configuration, train, say where the checkpoint is."""
    chosen = parse(train_parser(), arguments)
    config = RunConfig(**{one.name: chosen[one.name] for one in fields(RunConfig)})
    run_training(config, Path(chosen.output_dir), chosen.resume)


def run_training(config: RunConfig, folder: Path, resume: bool = False) -> None:
    """Train as the configuration says; the checkpoints are in ``folder/checkpoints``."""
    from anyorder.build.runs import refuse_other_run  # these imports take seconds
    from anyorder.training.launch import launch

    with locked(folder, "checkpoints") if _is_main_process() else nullcontext():
        refuse_other_run(config, folder, resume)
        try:
            launch(partial(_train, config, folder, resume), config.training.num_processes, config.training.num_threads)
        except KeyboardInterrupt:  # before the first update, or Ctrl-C for the second time
            raise KeyboardInterrupt("interrupted; continue with the same command and --resume") from None
    if _is_main_process():
        print(f"trained; best checkpoint: {folder / 'checkpoints' / 'best.pt'}")


def _train(config: RunConfig, folder: Path, resume: bool) -> None:
    """What every process of the run does."""
    from anyorder.build.runs import training_job, write_config
    from anyorder.training.trainer import train

    job = training_job(config, folder, resume)  # first, so that nothing is written if something is wrong
    if _is_main_process():
        write_config(config, folder)
    train(job)


def _is_main_process() -> bool:
    """True in one process of the run only: ``accelerate launch`` starts the command in several."""
    return os.environ.get("RANK", "0") == "0"
