"""The folder of a run on conversations, read once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from anyorder.build.checkpoints import load_conversation_model
from anyorder.errors import AnyOrderError
from anyorder.evaluation.evaluate import EvaluationConfig
from anyorder.evaluation.stored import read_evaluation
from anyorder.evaluation.text_acting import ChoiceScore, TextTaskScore
from anyorder.evaluation.text_robustness import TextRobustness
from anyorder.evaluation.texts import TextFindings, TokenScore
from anyorder.files import read_result
from anyorder.report.run import RunRecord
from anyorder.restoring import restored

if TYPE_CHECKING:
    from anyorder.build.language import ConversationModel  # the import of transformers takes seconds

NOT_WAYS = ("config", "env_id", "left_out", "task_success", "choices", "robustness")
"""Keys of an evaluation on conversations that are no way of asking."""


@dataclass(frozen=True, eq=False)
class TextRun(RunRecord[nn.Module, TextFindings]):
    """A run whose model is a language model of conversations.

    Attributes:
        conversations: the model with the reader of its conversations.
    """

    PLACE = "task"
    BATCH = "{tokens_per_batch} tokens a batch"

    conversations: ConversationModel

    def missing(self) -> list[str]:
        """What the page cannot show, and the command that would change it; a sentence each."""
        sentences = self.not_evaluated()
        if not self.has_test:
            sentences.append(f"Its data set {self.data} is not there any more, or has no test split: no conversations shown.")
        return sentences + self.without_curves()


def read_text_run(folder: Path, checkpoint: Path) -> TextRun:
    """Read a run's folder; raises an AnyOrderError when something in it is damaged."""
    loaded, header = load_conversation_model(checkpoint)
    return TextRun.of(folder, loaded.model, header, _read_text_findings, conversations=loaded)


def _read_text_findings(path: Path) -> tuple[TextFindings, EvaluationConfig]:
    """What an evaluation found; that of imported conversations does not say what it was asked."""
    if "config" in read_result(path):
        return read_evaluation(path, _text_findings)
    try:
        return _text_findings(read_result(path)), EvaluationConfig()
    except (KeyError, TypeError, ValueError) as error:
        raise AnyOrderError(f"{path} is damaged ({error}); make it anew with `anyorder evaluate`") from None


def _text_findings(content: Mapping[str, Any]) -> TextFindings:
    ways = {name: value for name, value in content.items() if name not in NOT_WAYS}
    return TextFindings(
        env_id=restored(str, content["env_id"], "env_id"),
        scores=restored(dict[str, dict[str, TokenScore]], ways),
        left_out=restored(dict[str, int], content.get("left_out", {})),
        played=restored(list[TextTaskScore], content.get("task_success", [])),
        choices=restored(list[ChoiceScore], content.get("choices", [])),
        robustness=restored(list[TextRobustness], content.get("robustness", [])),
    )
