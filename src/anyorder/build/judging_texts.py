"""Judging a language model on conversations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from torch import nn

from anyorder.build.language import reader_of
from anyorder.config import DataConfig
from anyorder.evaluation.evaluate import EvaluationConfig
from anyorder.evaluation.texts import TextFindings, questions, score_texts
from anyorder.files import write_json


def judge_texts(
    checkpoint: Path, model: nn.Module, header: dict[str, Any], data: Path, config: EvaluationConfig, folder: Path
) -> TextFindings:
    """Score a checkpoint on the test split of a data set and write ``metrics.json``.

    Args:
        checkpoint: folder of it.
        model: its model.
        header: of it.
        data: folder of conversations.
        config: ``cell_rate`` is the hidden share of turns, ``seed`` of what is hidden.
        folder: for the results.
    """
    reader = reader_of(checkpoint, header)
    trained_on = DataConfig(str(data), header["config"]["data"]["num_demonstrations"])
    train, test = reader.read(trained_on, "train"), reader.read(DataConfig(str(data)), "test")
    columns = (TextColumn("{task.description:24}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks = {way: bars.add_task(f"scoring {way}", total=len(test)) for way in questions(config.cell_rate)}
        findings = score_texts(
            model,
            train,
            test,
            header["env_id"],
            reader.codec.end_id,
            config.cell_rate,
            seed=config.seed,
            on_batch=lambda way, size: bars.advance(tasks[way], size),
        )
    write_json(folder / "metrics.json", findings.to_json())
    return findings
