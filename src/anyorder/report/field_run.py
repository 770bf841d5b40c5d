"""The folder of a run on data of any environment, read once; and runs of either kind."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anyorder.build.elements import holds_fields, load_element_checkpoint
from anyorder.build.headers import data_folder
from anyorder.data.manifest import Manifest
from anyorder.evaluation.evaluate import EvaluationConfig
from anyorder.evaluation.field_findings import FieldFindings, read_field_findings
from anyorder.evaluation.outcomes import OUTCOMES_FILE
from anyorder.models.element.element_transformer import ElementTransformer
from anyorder.report.run import BEST, ReportedRun, best_checkpoint, outcomes_in, read_run, stored_manifest
from anyorder.training.journal import METRICS_FILE, read_metrics


@dataclass(frozen=True, eq=False)
class FieldRun:
    """What a folder of ``anyorder train`` holds; its attributes are those of `ReportedRun`."""

    name: str
    folder: Path
    model: ElementTransformer
    env_id: str
    config: dict[str, Any]
    records: list[dict[str, Any]]
    manifest: Manifest | None
    findings: FieldFindings | None
    metrics: dict[str, Any]
    judged_by: EvaluationConfig
    outcomes: dict[str, list[Any]]

    @property
    def data(self) -> Path:
        """Folder of the data set."""
        return Path(self.config["data"]["path"])

    @property
    def num_updates(self) -> int:
        """The last update of which there are records; 0 if there are none."""
        return max((record["update"] for record in self.records), default=0)

    @property
    def played_on(self) -> str:
        """Where its agent acts."""
        return self.findings.env_id if self.findings else self.env_id

    @property
    def has_test(self) -> bool:
        """Whether test trajectories can be shown."""
        return self.manifest is not None and "test" in self.manifest.splits

    def missing(self) -> list[str]:
        """What the page cannot show, and the command that would change it; a sentence each."""
        sentences = []
        if self.findings is None:
            checkpoint = self.folder / BEST.with_suffix(".pt")
            sentences.append(f"It was not evaluated: run `anyorder evaluate --checkpoint {checkpoint}` for its metrics.")
        elif self.findings.failures and self.findings.task_success is None:
            sentences.append(f"Its episodes failed: {self.findings.failures[0].reason}.")
        elif self.findings.task_success is None:
            sentences.append("Its evaluation played no episodes: ask for `--metric all` or `--metric task_success`.")
        if not self.has_test:
            sentences.append(f"Its data set {self.data} is not there any more, or has no test split: no test trajectories.")
        if not self.records:
            sentences.append(f"It has no {METRICS_FILE}, so there are no curves.")
        return sentences


AnyRun = ReportedRun | FieldRun


def read_any_run(folder: Path) -> AnyRun:
    """Read a run's folder, whatever it was trained on.

    Raises:
        AnyOrderError: when there is no run, its checkpoint is missing or damaged, or what was written about it is damaged.
    """
    checkpoint = best_checkpoint(Path(folder))
    if not holds_fields(checkpoint):
        return read_run(folder)
    loaded, report = load_element_checkpoint(checkpoint), Path(folder) / "report"
    metrics, findings, judged_by = {}, None, EvaluationConfig()
    if (report / "metrics.json").exists():
        findings, judged_by = read_field_findings(report / "metrics.json")
        metrics = findings.to_json()
    return FieldRun(
        name=Path(folder).absolute().name,
        folder=Path(folder),
        model=loaded.model,
        env_id=loaded.header["env_id"],
        config=loaded.header["config"],
        records=read_metrics(Path(folder)),
        manifest=stored_manifest(data_folder(loaded.header, None, str(folder))),
        findings=findings,
        metrics=metrics,
        judged_by=judged_by,
        outcomes=outcomes_in(report / OUTCOMES_FILE),
    )
