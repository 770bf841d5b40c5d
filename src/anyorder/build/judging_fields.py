"""Evaluation of the general model on trajectories of any environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from anyorder.build.elements import load_element_checkpoint, read_fields
from anyorder.build.headers import data_folder, training_data
from anyorder.build.splits import say
from anyorder.config import DataConfig
from anyorder.envs.making import make_environments
from anyorder.errors import AnyOrderError
from anyorder.evaluation.evaluate import EvaluationConfig
from anyorder.evaluation.field_evaluation import FieldEvaluation
from anyorder.evaluation.field_findings import FieldFindings
from anyorder.pictures.field_evaluation_pictures import write_field_pictures
from anyorder.types import as_recorded


def judge_fields(
    checkpoint: Path, config: EvaluationConfig, folder: Path, env_id: str | None = None, data: str | None = None
) -> tuple[FieldFindings, dict[str, Any]]:
    """Evaluate a checkpoint of the general model, and write its numbers and a picture.

    Args:
        checkpoint: weights of a run.
        config: what to evaluate; ``tried_penalty`` and the settings of films do not apply. Where the environment cannot be
            made, no episodes are played, unless ``metric`` asks for nothing else.
        folder: where results go.
        env_id: environment to play episodes in; None: that of the training data.
        data: folder of a data set; None: the one that the checkpoint was trained on.

    Returns:
        The findings, and the checkpoint's header.
    """
    config.way_of_acting(["direct"], f"the general model {checkpoint}")
    config.check_no_option_of_texts(f"the general model {checkpoint}")
    if config.metric == "missions":
        raise AnyOrderError(
            f"missions are asked of models of grids; found the general model {checkpoint}; choose another metric"
        )
    loaded = load_element_checkpoint(checkpoint)
    path, trained_on = data_folder(loaded.header, data, str(checkpoint)), training_data(loaded.header, str(checkpoint))
    used = DataConfig(str(path), trained_on.num_demonstrations if data is None else None)
    played_in = env_id or loaded.header["env_id"]
    evaluation = FieldEvaluation(
        model=loaded.model,
        action_space=loaded.action_space,
        train=[as_recorded(one) for one in read_fields(used, "train")],
        test=[as_recorded(one) for one in read_fields(DataConfig(str(path)), "test")],
        env_id=played_in,
        config=config,
        plays=(config.plays or "goals" in config.metrics) and _can_be_played(played_in, config),
    )
    findings = evaluation.run(folder)
    if config.pictures:
        write_field_pictures(evaluation, findings, folder)
    return findings, loaded.header


def _can_be_played(env_id: str, config: EvaluationConfig) -> bool:
    """False, and a line on stderr, where the environment cannot be made but something else is left to judge."""
    try:
        for env in make_environments(env_id):
            env.close()
    except AnyOrderError as error:
        if set(config.metrics) <= {"task_success", "robustness", "goals"}:
            raise
        say(f"no episodes are played: {error}")
        return False
    return True
