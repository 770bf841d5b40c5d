"""From the configuration of a run to a training job."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from anyorder.build.checkpoints import require_transformers
from anyorder.build.grid import grid_job
from anyorder.config import MaskingConfig, RunConfig
from anyorder.errors import AnyOrderError
from anyorder.files import differences, read_yaml, replacing
from anyorder.masking.expressions import strategy_from
from anyorder.masking.schedules import schedule_from
from anyorder.masking.strategies import Strategy
from anyorder.training.trainer import Job

CONFIG_FILE = "config.yaml"
GRID_FIELDS = ("object", "color", "state", "direction", "action")
"""Fields of a grid that may be asked for."""


def training_job(config: RunConfig, folder: Path, resume: bool) -> Job[Any]:
    """The job of a training run. Nothing is written yet.

    Raises:
        AnyOrderError: when the data set or a setting does not fit.
    """
    strategy_at = strategy_schedule(config.masking)
    if config.language_model is None:
        return grid_job(config, folder, strategy_at, resume)
    require_transformers()
    from anyorder.build.language import language_job  # the import of transformers takes seconds

    return language_job(config, folder, strategy_at, resume)


def refuse_other_run(config: RunConfig, folder: Path, resume: bool) -> None:
    """Raise an AnyOrderError when the folder holds a run and ``resume`` is False, or a run of another configuration."""
    path = folder / CONFIG_FILE
    if not (path.exists() and (folder / "checkpoints").exists()):  # else an earlier run failed before its training began
        return
    if not resume:
        raise AnyOrderError(f"{folder} already holds a run; continue it with --resume or choose another --output_dir")
    if path.read_text() != _written(config):
        found = differences(read_yaml(path), yaml.safe_load(_written(config))) or ["how it is written"]
        raise AnyOrderError(
            f"{path} differs from the configuration given ({'; '.join(found)}); resume with the configuration that the run was"
            " started with"
        )


def write_config(config: RunConfig, folder: Path) -> None:
    """Write the resolved configuration into the run's folder, before training writes there."""
    with replacing(folder / CONFIG_FILE) as temporary:
        temporary.write_text(_written(config))


def _written(config: RunConfig) -> str:
    return yaml.safe_dump(asdict(config), sort_keys=False)


def strategy_schedule(masking: MaskingConfig, known: Collection[str] = GRID_FIELDS) -> Callable[[float], Strategy]:
    """A function from the progress of training (0..1) to the strategy at that moment.

    Args:
        masking: the settings.
        known: names of the fields, and of their groups, that the settings may name.

    Raises:
        AnyOrderError: for a wrong setting; the message names the key, what it allows and what was found.
    """
    _check_defaults(masking, known)
    try:
        defaults = {"rate": masking.mask_prob, "rates": masking.attribute_probs}
        return strategy_from({"mixture": masking.mixture}, defaults, "masking", known)
    except ValueError as error:
        raise AnyOrderError(str(error)) from None


def _check_defaults(masking: MaskingConfig, known: Collection[str]) -> None:
    """Check the default rates on their own, so that an error names the setting and not a strategy that uses it."""
    rates = {"masking.mask_prob": masking.mask_prob}
    for name, spec in masking.attribute_probs.items():
        if name not in known:
            raise AnyOrderError(f"masking.attribute_probs must name {', '.join(known)} only; found {name}")
        rates[f"masking.attribute_probs.{name}"] = spec
    for key, spec in rates.items():
        try:
            schedule_from(spec)
        except ValueError as error:
            raise AnyOrderError(f"{key}: {error}") from None
