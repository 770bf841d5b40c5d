"""Running a study: in parallel, resumable, and no run that fails costs another.

Runs are independent, so they are spread over the cores of this machine, or of a cluster, one core each. A run that has its
result files is never repeated; one that fails is reported. A run's folder stores the run's settings, and is never used for
a run of other settings.
"""

from __future__ import annotations

import contextlib
import json
import time
import traceback
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock

from anyorder.build.collecting import CollectOptions
from anyorder.build.filling import FillOptions, fill
from anyorder.build.judging import evaluated
from anyorder.build.runs import refuse_other_run, training_job, write_config
from anyorder.config import RunConfig, TrainingConfig
from anyorder.errors import AnyOrderError, Interrupted
from anyorder.evaluation.evaluate import EvaluationConfig
from anyorder.evaluation.outcomes import OUTCOMES_FILE
from anyorder.files import differences, read_json, read_result, write_json, write_result
from anyorder.locks import locked
from anyorder.restoring import restored_from
from anyorder.studies.effort import effort
from anyorder.studies.engines import Cores, Engine, Lost
from anyorder.studies.study import Run, folder_name
from anyorder.studies.study_file import merged
from anyorder.studies.success_curve import PlayedWhileTraining
from anyorder.terminal import progress_bars
from anyorder.training.trainer import train
from anyorder.trust import trusting

SETTINGS_FILE = "settings.json"
"""Holds the settings of the run that a folder belongs to."""
EFFORT_FILE = "report/effort.json"
"""Written last: a run that has it is finished."""
OWN_LEVEL = ""
"""Stands for the level that a run was trained on, among its metrics and episodes."""


@dataclass(frozen=True)
class Outcome:
    """The result of one run, or why it failed.

    Attributes:
        run: the run itself.
        effort: see `anyorder.studies.effort.effort`; also ``training_seconds`` and ``judging_seconds``.
        metrics: environment -> content of ``metrics.json``, also for `OWN_LEVEL`.
        episodes: environment -> content of ``episodes.json``, where episodes were played.
        error: why it failed; empty if it did not.
    """

    run: Run
    effort: dict[str, float] = field(default_factory=dict)
    metrics: dict[str, dict[str, Any]] = field(default_factory=dict)
    episodes: dict[str, dict[str, list[Any]]] = field(default_factory=dict)
    error: str = ""


def run_all(runs: Sequence[Run], engine: Engine = Cores()) -> list[Outcome]:
    """Run what has no result yet; return the outcomes of all in the order of ``runs``.

    Args:
        runs: those of a study.
        engine: runs them.

    Raises:
        AnyOrderError: before anything runs, if a run cannot begin (`check_runs`).
    """
    check_runs(runs)
    outcomes = {str(run): _read(run) for run in runs if (run.folder / EFFORT_FILE).exists()}
    waiting = [[run for run in runs if str(run) not in outcomes and run.stage == stage] for stage in _stages(runs)]
    started = time.monotonic()
    with progress_bars("{task.fields[rate]}", "{task.fields[latest]}", speed_seconds=7 * 24 * 3600) as progress:
        task = progress.add_task("runs", total=len(runs), completed=len(outcomes), rate="", latest="")
        with closing(_in_turn(engine, waiting)) as results:  # an interruption ends the workers before anything else
            for done, result in enumerate(results, start=1):
                outcome = Outcome(result.item, error=result.reason) if isinstance(result, Lost) else result
                outcomes[str(outcome.run)] = outcome
                rate = f"{3600 * done / (time.monotonic() - started):.1f}/h"
                latest = f"{outcome.run}: {'FAILED' if outcome.error else 'done'}"
                progress.update(task, advance=1, rate=rate, latest=latest)
    # An outcome from another process holds a copy of its run; callers compare runs by identity.
    return [replace(outcomes[str(run)], run=run) for run in runs]


def check_runs(runs: Sequence[Run]) -> None:
    """Whether every run can begin.

    Raises:
        AnyOrderError: if a folder holds a run of other settings, or the weights that a run starts from are not there, unless
            another of these runs will write them.
    """
    written = [run.folder for run in runs]
    for run in runs:
        _check_folder(run)
        for path in run.needed:
            if not path.exists() and not any(map(path.is_relative_to, written)):
                raise AnyOrderError(
                    f"training.init_from of the arm {run.arm.name} must be a checkpoint; found none at {path}; train it first"
                )


def _stages(runs: Sequence[Run]) -> list[int]:
    return sorted({run.stage for run in runs})


def _in_turn(engine: Engine, groups: Sequence[Sequence[Run]]) -> Generator[Any, None, None]:
    """The results of one group of runs after the other: later ones need the models of a group."""
    for group in groups:
        with closing(engine(_run, group)) as results:
            yield from results


def result_files(run: Run) -> dict[str, Path]:
    """Environment -> folder with the results of the evaluation there; "" is the run's own level."""
    report = run.folder / "report"
    return {"": report, **{env: report / folder_name(env) for env in run.test_on}}


def _settings(run: Run) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "config": asdict(run.config),
        "data": {**asdict(run.level.data), "num_processes": None},
        "evaluation": asdict(run.arm.evaluation),
        "test_on": run.test_on,
    }
    if run.unseen_episodes != run.arm.evaluation.num_episodes:
        settings["unseen_episodes"] = run.unseen_episodes
    return json.loads(json.dumps(settings))


def _check_folder(run: Run) -> None:
    path = run.folder / SETTINGS_FILE
    began = (run.folder / "checkpoints").exists()
    if not began:
        return
    found = differences(_with_defaults(read_json(path)), _settings(run)) if path.exists() else [f"{SETTINGS_FILE} is missing"]
    if found:
        raise AnyOrderError(
            f"{run.folder} holds a run of other settings than the study now asks for ({'; '.join(found)}); choose another"
            " --output_dir, or remove that folder to run it anew"
        )


def _with_defaults(settings: dict[str, Any]) -> dict[str, Any]:
    """An older run used the defaults of the options that its settings do not mention, and the only optimizer that there was."""
    defaults = {
        "config": asdict(RunConfig(training=TrainingConfig(optimizer="adamw"))),
        "data": asdict(CollectOptions()),
        "evaluation": asdict(EvaluationConfig()),
    }
    return merged(defaults, settings)


def _run(run: Run) -> Outcome:
    torch.set_num_threads(1)
    run.folder.mkdir(parents=True, exist_ok=True)
    log_file = run.folder / "log.txt"
    with open(log_file, "a") as log, contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
        try:
            trusted = trusting(_trusts_code(run))  # this may be another process than the one whose user has vouched
            with locked(run.folder, "checkpoints"), trusted:
                write_json(run.folder / SETTINGS_FILE, _settings(run))
                _train_and_judge(run)
            return _read(run)
        except Interrupted:  # a run that was told to stop did not fail, and the others are to stop as well
            raise KeyboardInterrupt from None
        except AnyOrderError as error:
            return Outcome(run, error=str(error))
        except Exception as error:  # a bug in one run must not cost the others; the log has all of it
            traceback.print_exc(file=log)
            return Outcome(run, error=f"{type(error).__name__}: {error}; see {log_file}")


def _trusts_code(run: Run) -> bool:
    """Whether code of a checkpoint may run; a study is read only if the user has vouched for that."""
    return run.config.language_model is not None and run.config.language_model.trust_remote_code


def _train_and_judge(run: Run) -> None:
    started = time.monotonic()
    for one in run.fills.values():
        _filled_in_turn(one)
    refuse_other_run(run.config, run.folder, resume=True)
    job = training_job(run.config, run.folder, resume=True)
    write_config(run.config, run.folder)
    if run.curve_episodes:
        if job.budget.counted_in == "tokens":
            raise AnyOrderError("curve_episodes must be 0 where a language model learns from conversations; leave it out")
        judged = run.arm.evaluation
        played = PlayedWhileTraining(run.level.data.env, run.curve_episodes, judged.temperature, judged.tried_penalty)
        job = replace(job, watch=played)
    learned_from = effort(job)
    train(job)
    trained = time.monotonic()
    own, *unseen = result_files(run).items()
    checkpoint = run.folder / "checkpoints" / "best.pt"
    with locked(own[1]):
        evaluated(checkpoint, run.arm.evaluation, own[1])
    for env, folder in unseen:
        judged = replace(run.arm.evaluation, metric="task_success", num_episodes=run.unseen_episodes)
        with locked(folder):
            evaluated(checkpoint, judged, folder, env)
    seconds = {"training_seconds": trained - started, "judging_seconds": time.monotonic() - trained}
    write_result(run.folder / EFFORT_FILE, {**learned_from, **seconds})


def _filled_in_turn(options: FillOptions) -> None:
    """Fill in, after whoever fills in the same: several arms may learn from one filled data set, in several processes."""
    folder = Path(options.output_dir)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f"{folder.name}.turn")):
        fill(options)


def _read(run: Run) -> Outcome:
    folders = result_files(run)
    metrics = {env: read_result(folder / "metrics.json") for env, folder in folders.items()}
    played = {env: folder / OUTCOMES_FILE for env, folder in folders.items()}
    episodes = {env: read_result(path) for env, path in played.items() if path.exists()}
    spent = run.folder / EFFORT_FILE
    seconds = restored_from(dict[str, float], read_result(spent), str(spent), "remove it to make it anew")
    return Outcome(run, seconds, metrics, episodes)
