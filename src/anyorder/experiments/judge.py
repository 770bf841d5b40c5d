"""From a checkpoint to its findings and its report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from anyorder.build import demonstrations, load_model
from anyorder.config import DataConfig
from anyorder.data.batch import EncodedTrajectories
from anyorder.data.storage import read_split
from anyorder.evaluation.evaluate import Evaluation, EvaluationConfig
from anyorder.evaluation.findings import Findings
from anyorder.report.markdown import write_report

if TYPE_CHECKING:  # it needs transformers, which is an extra
    from anyorder.evaluation.texts import TextFindings


def judge(
    checkpoint: Path,
    config: EvaluationConfig,
    env_id: str | None = None,
    data: str | None = None,
    folder: Path | None = None,
) -> tuple[Findings | TextFindings, Path]:
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
        from anyorder.experiments.judge_texts import judge_texts  # transformers takes seconds

        return judge_texts(checkpoint, model, header, path, config, folder), header
    train = demonstrations(trained_on) if data is None else read_split(path, "train")
    evaluation = Evaluation(
        model=model,
        train=EncodedTrajectories(train, model.vocabulary, model.max_frames),
        test=EncodedTrajectories(read_split(path, "test"), model.vocabulary, model.max_frames),
        env_id=env_id or header["env_id"],
        config=config,
    )
    return evaluation.run(folder), header
