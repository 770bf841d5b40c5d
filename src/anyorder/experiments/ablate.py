"""Ablations: the same training with one thing changed, over several seeds, side by side.

Runs are independent, so they are spread over the cores by joblib, one core each. A run that has its result file is
never repeated; one that fails is reported and stops nothing else.
"""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import joblib
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from anyorder.build import claim, training_job
from anyorder.config import RunConfig
from anyorder.errors import AnyOrderError
from anyorder.evaluation.evaluate import EvaluationConfig
from anyorder.experiments.judge import judge
from anyorder.files import read_json
from anyorder.training.trainer import train

RESULT_FILE = "report/metrics.json"


@dataclass(frozen=True)
class Arm:
    """One variant.

    Attributes:
        name: shown in tables; its folder is named after it.
        config: of the runs, but for the seed.
        evaluation: how its runs are judged; what arms have in common is judged on the same episodes.
    """

    name: str
    config: RunConfig
    evaluation: EvaluationConfig


@dataclass(frozen=True)
class Ablation:
    """What is run and what is compared.

    Attributes:
        arms: the variants.
        comparisons: title -> names of the arms that stand side by side.
        seeds: of training; every arm runs with each.
        folder: where the runs and the summary go.
    """

    arms: Sequence[Arm]
    comparisons: Mapping[str, Sequence[str]]
    seeds: Sequence[int]
    folder: Path


@dataclass(frozen=True)
class Outcome:
    """What became of one run: its metrics, or why it failed."""

    arm: str
    seed: int
    folder: Path
    metrics: dict[str, Any] = field(default_factory=dict)
    error: str = ""


def run_ablation(ablation: Ablation, num_workers: int | None = None) -> list[Outcome]:
    """Run what has no result yet; returns the outcome of every run, arm by arm.

    Args:
        ablation: what to run.
        num_workers: runs at a time; None is one per core.
    """
    jobs = [
        (arm, replace(arm.config, training=replace(arm.config.training, seed=seed, num_processes=1, num_threads=1)))
        for arm in ablation.arms
        for seed in ablation.seeds
    ]
    parallel = joblib.Parallel(n_jobs=num_workers or joblib.cpu_count(), return_as="generator_unordered")
    work = (joblib.delayed(_run)(config, arm, ablation.folder) for arm, config in jobs)
    outcomes: list[Outcome] = []
    columns = (TextColumn("runs"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("left"),
               TimeRemainingColumn(), TextColumn("{task.fields[latest]}"))  # fmt: skip
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("", total=len(jobs), latest="")
        for outcome in parallel(work):
            outcomes.append(outcome)
            state = "FAILED" if outcome.error else "done"
            progress.update(task, advance=1, latest=f"{outcome.arm} seed {outcome.seed} {state}")
    position = {(arm.name, config.training.seed): number for number, (arm, config) in enumerate(jobs)}
    return sorted(outcomes, key=lambda outcome: position[outcome.arm, outcome.seed])


def _run(config: RunConfig, arm: Arm, parent: Path) -> Outcome:
    seed = config.training.seed
    folder = parent / arm.name.replace(" ", "_") / f"seed_{seed}"
    if (folder / RESULT_FILE).exists():
        return Outcome(arm.name, seed, folder, read_json(folder / RESULT_FILE))
    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "log.txt", "a") as log, contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
        try:
            claim(folder, config, resume=True)
            train(training_job(config, folder, resume=True))
            judge(folder / "checkpoints" / "best.safetensors", arm.evaluation)
        except AnyOrderError as error:
            return Outcome(arm.name, seed, folder, error=str(error))
        except Exception as error:  # a bug in one run must not cost the others; the log has all of it
            traceback.print_exc(file=log)
            return Outcome(arm.name, seed, folder, error=f"{type(error).__name__}: {error}; see {folder / 'log.txt'}")
    return Outcome(arm.name, seed, folder, read_json(folder / RESULT_FILE))
