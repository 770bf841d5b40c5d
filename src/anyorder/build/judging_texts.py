"""Evaluation of a language model on conversations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from anyorder.build.checkpoints import load_conversation_model
from anyorder.build.headers import data_folder, training_data
from anyorder.build.splits import say
from anyorder.config import DataConfig
from anyorder.evaluation.evaluate import EvaluationConfig
from anyorder.evaluation.texts import TextFindings, score_texts, text_orders
from anyorder.files import write_result
from anyorder.terminal import progress_bars


def judge_texts(
    checkpoint: Path, config: EvaluationConfig, folder: Path, data: str | None = None
) -> tuple[TextFindings, dict[str, Any]]:
    """Score a checkpoint on the test split of a data set and write ``metrics.json``.

    Args:
        checkpoint: the checkpoint's folder.
        config: ``cell_rate`` is the share of hidden turns, ``seed`` decides which turns are hidden.
        folder: where the results go.
        data: folder of a data set of conversations; None: the one that the checkpoint was trained on.

    Returns:
        The findings, and the checkpoint's header.
    """
    conversations, header = load_conversation_model(checkpoint)
    reader, trained_on = conversations.reader, training_data(header, str(checkpoint))
    path = str(data_folder(header, data, str(checkpoint)))
    train = reader.read(DataConfig(path, trained_on.num_demonstrations), "train")
    test = reader.read(DataConfig(path), "test")
    with progress_bars() as bars:
        tasks = {way: bars.add_task(f"scoring {way}", total=len(test)) for way in text_orders(config.cell_rate)}
        findings = score_texts(
            conversations.model,
            train,
            test,
            env_id=header["env_id"],
            num_tokens=conversations.num_tokens,
            end_id=reader.codec.end_id,
            unit_rate=config.cell_rate,
            seed=config.seed,
            on_batch=lambda way, size: bars.advance(tasks[way], size),
        )
    for way, number in findings.left_out.items():
        say(f"{path}, test: {number} of {len(test)} conversations have nothing that {way} asks for and do not count there")
    write_result(folder / "metrics.json", findings.to_json())
    return findings, header
