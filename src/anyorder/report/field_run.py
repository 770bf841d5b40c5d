"""The folder of a run on data of any environment, read once."""

from __future__ import annotations

from pathlib import Path

from anyorder.build.elements import load_element_checkpoint
from anyorder.evaluation.field_findings import FieldFindings, read_field_findings
from anyorder.models.element.element_transformer import ElementTransformer
from anyorder.report.run import RunRecord


class FieldRun(RunRecord[ElementTransformer, FieldFindings]):
    """A run whose model is the general one."""

    PLACE = "environment"

    def missing(self) -> list[str]:
        """What the page cannot show, and the command that would change it; a sentence each."""
        sentences = self.not_evaluated()
        if self.findings is not None and self.findings.task_success is None and self.findings.failures:
            sentences.append(f"Its episodes failed: {self.findings.failures[0].reason}.")
        elif self.findings is not None and self.findings.task_success is None:
            sentences.append("Its evaluation played no episodes: ask for `--metric all` or `--metric task_success`.")
        if not self.has_test:
            sentences.append(f"Its data set {self.data} is not there any more, or has no test split: no test trajectories.")
        return sentences + self.without_curves()


def read_field_run(folder: Path, checkpoint: Path) -> FieldRun:
    """Read a run's folder; raises an AnyOrderError when something in it is damaged."""
    loaded = load_element_checkpoint(checkpoint)
    return FieldRun.of(folder, loaded.model, loaded.header, read_field_findings)
