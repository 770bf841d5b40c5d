"""From a checkpoint to its findings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from anyorder.build.runs import demonstrations, load_model
from anyorder.config import DataConfig
from anyorder.data.storage import read_split
from anyorder.elements.batch import EncodedTrajectories
from anyorder.evaluation.evaluate import Evaluation, EvaluationConfig
from anyorder.evaluation.findings import Findings
from anyorder.pictures.evaluation import write_pictures

if TYPE_CHECKING:  # it needs transformers, which is an extra
    from anyorder.evaluation.texts import TextFindings


def evaluated(
    checkpoint: Path, config: EvaluationConfig, folder: Path, env_id: str | None = None, data: str | None = None
) -> tuple[Findings | TextFindings, dict[str, Any]]:
    """`judge` without the report; returns the findings and the checkpoint's header."""
    # Passes are small: a second thread wins little alone and loses everything beside other busy programs.
    torch.set_num_threads(1)
    model, header = load_model(checkpoint)
    trained_on = DataConfig(**header["config"]["data"])
    path = Path(data or trained_on.path)
    if header.get("content") == "text":
        from anyorder.build.judging_texts import judge_texts  # transformers takes seconds

        return judge_texts(checkpoint, model, header, path, config, folder), header
    train = demonstrations(trained_on) if data is None else read_split(path, "train")
    evaluation = Evaluation(
        model=model,
        train=EncodedTrajectories(train, model.vocabulary, model.max_frames),
        test=EncodedTrajectories(read_split(path, "test"), model.vocabulary, model.max_frames),
        env_id=env_id or header["env_id"],
        config=config,
    )
    findings = evaluation.run(folder)
    if config.pictures:
        write_pictures(evaluation, findings, folder)
    return findings, header
