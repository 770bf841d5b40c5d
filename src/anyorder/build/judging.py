"""From a checkpoint to its findings: evaluation on a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from anyorder.build.checkpoints import is_of_conversations, load_model
from anyorder.build.elements import holds_fields
from anyorder.build.evidence import mission_evidence
from anyorder.build.headers import data_folder, training_data
from anyorder.build.judging_fields import judge_fields
from anyorder.data.storage import read_split
from anyorder.elements.batch import EncodedTrajectories
from anyorder.errors import AnyOrderError
from anyorder.evaluation.evaluate import Evaluation, EvaluationConfig
from anyorder.evaluation.findings import Findings, GridFindings
from anyorder.evaluation.mission_scores import Instructed
from anyorder.evaluation.sights import Sights
from anyorder.masking.strategies import NothingToAsk
from anyorder.pictures.evaluation import write_pictures
from anyorder.types import as_recorded


def evaluated(
    checkpoint: Path, config: EvaluationConfig, folder: Path, env_id: str | None = None, data: str | None = None
) -> tuple[Findings, dict[str, Any]]:
    """Evaluate a checkpoint, and write numbers and pictures.

    Args:
        checkpoint: weights of a run.
        config: what to evaluate.
        folder: where results go.
        env_id: environment to play episodes in; None: that of the training data.
        data: folder of a data set with train and test splits; None: the one that the checkpoint was trained on.

    Returns:
        The findings, and the checkpoint's header.
    """
    # Passes are small: a second thread gains little on an idle machine, and loses much beside other busy programs.
    torch.set_num_threads(1)
    if is_of_conversations(checkpoint):
        from anyorder.build.judging_texts import judge_texts  # the import of transformers takes seconds

        return judge_texts(checkpoint, config, folder, env_id, data)
    judge = judge_fields if holds_fields(checkpoint) else _judge_grids
    try:
        return judge(checkpoint, config, folder, env_id, data)
    except NothingToAsk as error:
        raise AnyOrderError(
            f"the test split must have recorded what is scored; {error} (values are absent, or were filled in); evaluate on"
            " another data set with --data"
        ) from None


def _judge_grids(
    checkpoint: Path, config: EvaluationConfig, folder: Path, env_id: str | None, data: str | None
) -> tuple[GridFindings, dict[str, Any]]:
    model, header = load_model(checkpoint)
    path, trained_on = data_folder(header, data, str(checkpoint)), training_data(header, str(checkpoint))
    train = read_split(path, "train", trained_on.num_demonstrations if data is None else None)
    test = [as_recorded(one) for one in read_split(path, "test")]
    told = [one.mission for one in train if one.mission]
    evaluation = Evaluation(
        model=model,
        train=EncodedTrajectories([as_recorded(one) for one in train], model.vocabulary, model.max_frames),
        test=EncodedTrajectories(test, model.vocabulary, model.max_frames),
        env_id=env_id or header["env_id"],
        config=config,
        sights=Sights.of(test, model.max_frames) if config.scores else None,
        instructed=Instructed(test, sorted(set(told)), mission_evidence(header, told)),
    )
    findings = evaluation.run(folder)
    if config.pictures:
        write_pictures(evaluation, findings, folder)
    return findings, header
