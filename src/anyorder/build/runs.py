"""From the configuration of a run to a training job."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from anyorder.build.checkpoints import require_transformers
from anyorder.build.elements import element_job
from anyorder.build.grid import grid_job
from anyorder.build.masking import strategy_schedule
from anyorder.config import RunConfig
from anyorder.data.manifest import MANIFEST, read_manifest
from anyorder.errors import AnyOrderError
from anyorder.files import differences, read_yaml, replacing
from anyorder.training.trainer import Job

CONFIG_FILE = "config.yaml"


def training_job(config: RunConfig, folder: Path, resume: bool) -> Job[Any]:
    """The job of a training run. Nothing is written yet.

    Raises:
        AnyOrderError: when the data set or a setting does not fit.
    """
    content = _content(Path(config.data.path))
    if config.data.renamed and content not in (None, "text"):
        raise AnyOrderError(
            f"data.renamed gives things in conversations other names; found {config.data.path}, which has none; leave it out"
        )
    if config.language_model is None and (config.element_model is not None or content == "fields"):
        return element_job(config, folder, resume)
    strategy_at = strategy_schedule(config.masking)
    if config.language_model is None:
        return grid_job(config, folder, strategy_at, resume)
    require_transformers()
    from anyorder.build.language import language_job  # the import of transformers takes seconds

    return language_job(config, folder, strategy_at, resume)


def _content(path: Path) -> str | None:
    """What the data set holds; None where there is none."""
    return read_manifest(path).content if (path / MANIFEST).exists() else None


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
