"""The numbers of a study, as plain data: what its summary shows is exactly what its ``results.json`` holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from anyorder.build.filling import FILL_FILE
from anyorder.data.manifest import read_manifest
from anyorder.files import read_result
from anyorder.studies.efficiency import Measurement, demonstrations_needed
from anyorder.studies.measures import Measure, measures
from anyorder.studies.runner import EFFORT_FILE, OWN_LEVEL, Outcome, result_files
from anyorder.studies.study import Level, Run, Study
from anyorder.studies.text_measures import success_share
from anyorder.studies.verdicts import experiments

RESULTS_FILE = "results.json"
WANTED_SUCCESS = 0.99
BABYAI = {
    "BabyAI-GoToRedBall-v0": (50_000, 62_000),
    "BabyAI-GoToLocal-v0": (148_000, 193_000),
    "BabyAI-PickupLoc-v0": (204_000, 241_000),
}
"""Demonstrations of the bot that BabyAI 1.0 needs for 99% success (Chevalier-Boisvert et al., 2019)."""


def results(study: Study, outcomes: Sequence[Outcome], parent: Path) -> dict[str, Any]:
    """Everything that a study measured, as plain data.

    Args:
        study: what was run.
        outcomes: results of its runs.
        parent: folder that the paths of result files are relative to.

    Returns:
        ``experiments``: see `anyorder.studies.verdicts.experiments`;
        ``tables``: one per level and size, with ``rows`` (per arm its ``scores`` by column, ``effort`` and ``runs``, the
        result files of its seeds) and ``comparisons`` (per arm its ``differences`` to the ``reference`` by column,
        each with interval and ``verdict``);
        ``filled``: what became of missing values that an arm's model filled in: ``level``, ``size``, ``arm``, ``seed``,
        ``set``, the ``file`` and its ``parts``, see `anyorder.evaluation.filling_scores.FillScore`;
        ``efficiency``: for each level and arm that was judged at two or more sizes, the demonstrations ``needed`` for
        `WANTED_SUCCESS`, with the measurements that they follow from;
        ``failed``: runs with their errors.
        Arms of a comparison are paired over the seeds that both have finished.
    """
    finished = [outcome for outcome in outcomes if not outcome.error]
    tables = [
        _table(study, level, size, [o for o in finished if o.run.level is level and o.run.size == size], parent)
        for level in study.levels
        for size in study.sizes
    ]
    failed = [{"run": str(outcome.run), "error": outcome.error} for outcome in outcomes if outcome.error]
    efficiency = [
        entry
        for level in study.levels
        for arm in study.arms_at(level)
        if (entry := _efficiency(level, arm.name, [o for o in finished if o.run.level is level and o.run.arm is arm]))
    ]
    return {
        "seeds": study.every_seed(),
        "experiments": experiments(study, finished),
        "tables": tables,
        "filled": _filled(finished, parent),
        "efficiency": efficiency,
        "failed": failed,
    }


def _filled(outcomes: Sequence[Outcome], parent: Path) -> list[dict[str, Any]]:
    """What was filled in for the runs, once for each data set that came of it."""
    found = {}
    for run in (outcome.run for outcome in outcomes):
        for name, fill in run.fills.items():
            path, by = Path(fill.output_dir) / FILL_FILE, run.arm.sets[name].filled_by
            where = {"level": run.level.name, "size": run.size, "arm": by, "seed": run.seed, "set": name}
            found[path] = {**where, "file": path.relative_to(parent).as_posix(), "parts": read_result(path)["parts"]}
    return list(found.values())


def _efficiency(level: Level, arm: str, outcomes: Sequence[Outcome]) -> dict[str, Any] | None:
    """The demonstrations needed, the measurements that they follow from, and what BabyAI needs; None if success is known at
    fewer than two sizes."""
    shares = [(o.run, success_share(o.metrics[OWN_LEVEL])) for o in outcomes]
    runs = [Measurement(_num_demonstrations(run), share["successes"], share["count"]) for run, share in shares if share]
    if len({run.num_demonstrations for run in runs}) < 2:
        return None
    needed = demonstrations_needed(runs, WANTED_SUCCESS)
    return {
        "level": level.name,
        "arm": arm,
        "needed": needed.to_json(),
        "babyai": BABYAI.get(level.data.env),
        "measurements": [asdict(run) for run in runs],
        "curve": [asdict(point) for point in needed.curve],
    }


def _num_demonstrations(run: Run) -> int:
    return run.size or read_manifest(Path(run.level.data.output_dir)).splits["train"].num_episodes


def _table(study: Study, level: Level, size: int | None, outcomes: Sequence[Outcome], parent: Path) -> dict[str, Any]:
    columns = measures(outcomes)
    by_arm = {arm.name: [o for o in outcomes if o.run.arm is arm] for arm in study.arms_at(level)}
    return {
        "level": level.name,
        "size": size,
        "rows": [_row(name, own, columns, parent) for name, own in by_arm.items()],
        "comparisons": [
            _comparison(title, names, by_arm, columns)
            for title, names in study.comparisons.items()
            if len(names) > 1 and set(names) <= set(by_arm)
        ],
    }


def _row(name: str, outcomes: Sequence[Outcome], columns: Sequence[Measure], parent: Path) -> dict[str, Any]:
    scores = {column.name: column.score(outcomes) for column in columns} if outcomes else {}
    keys = outcomes[0].effort if outcomes else ()
    return {
        "arm": name,
        "scores": {column: score for column, score in scores.items() if score},
        "effort": {key: sum(o.effort[key] for o in outcomes) / len(outcomes) for key in keys},
        "runs": [{"seed": o.run.seed, "files": _files(o, parent)} for o in outcomes],
    }


def _files(outcome: Outcome, parent: Path) -> list[str]:
    """Paths of a run's result files, its own level's first."""
    own = [folder / "metrics.json" for folder in result_files(outcome.run).values()]
    return [path.relative_to(parent).as_posix() for path in (*own, outcome.run.folder / EFFORT_FILE)]


def _comparison(
    title: str, names: Sequence[str], by_arm: dict[str, list[Outcome]], columns: Sequence[Measure]
) -> dict[str, Any]:
    reference, *others = names
    rows = [{"arm": name, **_differences(by_arm[name], by_arm[reference], columns)} for name in others]
    return {"title": title, "reference": reference, "rows": rows}


def _differences(outcomes: Sequence[Outcome], reference: Sequence[Outcome], columns: Sequence[Measure]) -> dict[str, Any]:
    """Differences by column, paired over the seeds whose runs did not fail in either."""
    ours, theirs = ({outcome.run.seed: outcome for outcome in some} for some in (outcomes, reference))
    seeds = [seed for seed in ours if seed in theirs]
    differences = {}
    for column in columns if seeds else ():
        found = column.difference([ours[seed] for seed in seeds], [theirs[seed] for seed in seeds])
        if found is not None:
            verdict = found.verdict(column.higher_is_better)
            differences[column.name] = {**found.to_json(), "verdict": verdict, "text": column.show(found)}
    return {"seeds": seeds, "differences": differences}
