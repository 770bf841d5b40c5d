"""``anyorder ablate``: train and compare variants, write a summary."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser

from anyorder.build import strategy_schedule
from anyorder.commands.collect import CollectOptions, collect_parser, run_collect
from anyorder.commands.options import parse, parser
from anyorder.config import RunConfig
from anyorder.errors import AnyOrderError
from anyorder.evaluation.evaluate import EvaluationConfig
from anyorder.experiments.ablate import Ablation, Arm, run_ablation
from anyorder.experiments.summary import SUMMARY_FILE, write_summary
from anyorder.files import read_yaml

KEYS = {"base", "collect", "seeds", "num_episodes", "quick", "arms", "comparisons"}
OPTIONAL = {"metrics"}


def ablate_parser() -> ArgumentParser:
    """The options of the command."""
    options = parser("ablate", "Train and compare variants, write a summary.")
    options.add_argument("--study", type=str, default="configs/ablations.yaml", help="what is compared")
    options.add_argument("--output_dir", type=str, default="outputs/ablations", help="for runs and summary")
    options.add_argument("--quick", action="store_true", help="the study's shorter form, for a first look")
    options.add_argument("--num_workers", type=int, default=None, help="runs at a time; default: one per core")
    return options


def ablate_command(arguments: Sequence[str]) -> None:
    """Collect the data if need be, run every arm, write the summary."""
    chosen = parse(ablate_parser(), arguments)
    study = _study(Path(chosen.study), chosen.quick)
    ablation = _ablation(study, Path(chosen.study), Path(chosen.output_dir) / ("quick" if chosen.quick else "full"))
    started = time.monotonic()
    collected = {**study["collect"], "output_dir": ablation.arms[0].config.data.path}
    run_collect(CollectOptions(**_read(collect_parser(), collected, f"{chosen.study}: collect").as_dict()))
    try:
        outcomes = run_ablation(ablation, chosen.num_workers)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("interrupted; finished runs are kept: run the same again to continue") from None
    summary = Path(chosen.output_dir) / SUMMARY_FILE
    write_summary(summary, ablation, outcomes, (time.monotonic() - started) / 60)
    print(summary.read_text())
    print(f"summary: {summary}")
    if failed := [outcome for outcome in outcomes if outcome.error]:
        raise AnyOrderError(f"{len(failed)} of {len(outcomes)} runs failed, the summary says why; run again to retry them")


def _study(path: Path, quick: bool) -> dict[str, Any]:
    study = read_yaml(path)
    if not isinstance(study, dict) or set(study) - OPTIONAL != KEYS:
        found = sorted(study) if isinstance(study, dict) else type(study).__name__
        raise AnyOrderError(f"{path}: a study has the keys {', '.join(sorted(KEYS))} and may have {', '.join(OPTIONAL)}; found {found}")
    return _merged(study, study["quick"]) if quick else study


def _ablation(study: dict[str, Any], path: Path, folder: Path) -> Ablation:
    arms, metrics = [], study.get("metrics", {})
    for name, change in study["arms"].items():
        config = _config(_merged(study["base"], change), f"{path}: arm {name}")
        strategy_schedule(config.masking)
        judged = {"metric": metrics.get(name, "all"), "num_episodes": study["num_episodes"]}
        arms.append(Arm(name, config, EvaluationConfig(**judged, occlusion=[0.3], num_gif_episodes=0)))
    names = set(study["arms"])
    if unknown := set(metrics) - names:
        raise AnyOrderError(f"{path}: metrics names unknown arms: {', '.join(sorted(unknown))}")
    for title, compared in study["comparisons"].items():
        if unknown := set(compared) - names:
            raise AnyOrderError(f"{path}: comparison {title} names unknown arms: {', '.join(sorted(unknown))}")
    return Ablation(arms, study["comparisons"], study["seeds"], folder)


def _config(settings: dict[str, Any], where: str) -> RunConfig:
    """Typed and checked by the same parser as a config file."""
    reader = parser("ablate", "")
    reader.add_class_arguments(RunConfig, "run")
    return _read(reader, {"run": settings}, where).run


def _read(reader: ArgumentParser, settings: dict[str, Any], where: str) -> Any:
    try:
        return reader.instantiate(reader.parse_object(settings))
    except Exception as error:  # jsonargparse raises several kinds
        raise AnyOrderError(f"{where}: {' '.join(str(error).split())}") from None


def _merged(base: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """``change`` laid over ``base``, group by group; what is not a group is replaced whole."""
    merged = dict(base)
    for key, value in change.items():
        inside = isinstance(value, dict) and isinstance(merged.get(key), dict) and key not in ("mixture", "mask_prob")
        merged[key] = _merged(merged[key], value) if inside else value
    return merged
