"""A run's folder, read once: what it was trained on, how it went, what an evaluation found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from anyorder.build.checkpoints import load_model
from anyorder.build.headers import data_folder
from anyorder.build.runs import CONFIG_FILE
from anyorder.data.manifest import Manifest, read_manifest
from anyorder.errors import AnyOrderError
from anyorder.evaluation.evaluate import EvaluationConfig
from anyorder.evaluation.findings import Findings, GridFindings
from anyorder.evaluation.outcomes import OUTCOMES_FILE, read_outcomes
from anyorder.evaluation.stored import read_findings
from anyorder.models.contract import GridModel
from anyorder.training.journal import METRICS_FILE, read_metrics

BEST = Path("checkpoints") / "best.safetensors"
ModelT = TypeVar("ModelT")
FindingsT = TypeVar("FindingsT", bound=Findings)
RecordT = TypeVar("RecordT", bound="RunRecord[Any, Any]")


@dataclass(frozen=True, eq=False)
class RunRecord(Generic[ModelT, FindingsT]):
    """What a folder of ``anyorder train`` holds.

    Attributes:
        PLACE: what its environment is called.
        BATCH: what a batch counts, a format of settings of training.
        name: of the folder.
        folder: where it is.
        model: that of the best checkpoint, in evaluation mode.
        env_id: where its data came from.
        config: the resolved configuration.
        records: those of ``metrics.jsonl``.
        manifest: of the data set; None if that is not there any more.
        findings: what its evaluation found; None if it was not evaluated.
        metrics: the findings as plain values; empty if it was not evaluated.
        judged_by: settings of its evaluation; the defaults if it was not evaluated.
        outcomes: of the episodes that the evaluation played, see `anyorder.evaluation.outcomes`; empty if there were none.
    """

    PLACE: ClassVar[str] = "level"
    BATCH: ClassVar[str] = "{frames_per_batch} frames a batch"

    name: str
    folder: Path
    model: ModelT
    env_id: str
    config: dict[str, Any]
    records: list[dict[str, Any]]
    manifest: Manifest | None
    findings: FindingsT | None
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

    def not_evaluated(self) -> list[str]:
        """The sentence that says so, if it was not evaluated."""
        checkpoint = self.folder / BEST.with_suffix(".pt")
        said = f"It was not evaluated: run `anyorder evaluate --checkpoint {checkpoint}` for its metrics."
        return [said] if self.findings is None else []

    def without_curves(self) -> list[str]:
        """The sentence that says so, if there are no records of its training."""
        return [] if self.records else [f"It has no {METRICS_FILE}, so there are no curves."]

    @classmethod
    def of(
        cls: type[RecordT],
        folder: Path,
        model: ModelT,
        header: Mapping[str, Any],
        read_stored: Callable[[Path], tuple[FindingsT, EvaluationConfig]],
        **others: Any,
    ) -> RecordT:
        """What is there of a run.

        Args:
            folder: of the run.
            model: that of its best checkpoint.
            header: of that checkpoint.
            read_stored: from the file of an evaluation to its findings and settings.
            others: attributes that only this kind of run has.
        """
        report = folder / "report"
        metrics, findings, judged_by = {}, None, EvaluationConfig()
        if (report / "metrics.json").exists():
            findings, judged_by = read_stored(report / "metrics.json")
            metrics = findings.to_json()
        return cls(
            name=folder.absolute().name,
            folder=folder,
            model=model,
            env_id=header["env_id"],
            config=header["config"],
            records=read_metrics(folder),
            manifest=stored_manifest(data_folder(header, None, str(folder))),
            findings=findings,
            metrics=metrics,
            judged_by=judged_by,
            outcomes=outcomes_in(report / OUTCOMES_FILE),
            **others,
        )


class ReportedRun(RunRecord[GridModel, GridFindings]):
    """A run whose model is one of grids."""

    def can_show(self, num_steps: int) -> bool:
        """Whether the model reads so many steps, and the view after them, at once."""
        return self.model.max_frames is None or num_steps < self.model.max_frames

    def missing(self) -> list[str]:
        """What the page cannot show, and the command that would change it; a sentence each."""
        sentences = self.not_evaluated()
        if self.findings is not None and self.findings.task_success is None:
            sentences.append("Its evaluation played no episodes: ask for `--metric all` or `--metric task_success`.")
        if self.manifest is None:
            sentences.append(f"Its data set {self.data} is not there any more, so no test trajectories are shown.")
        elif "test" not in self.manifest.splits:
            sentences.append(f"Its data set {self.data} has no test split, so no test trajectories are shown.")
        if self.model.max_frames is not None:
            sentences.append(f"Its model reads {self.model.max_frames} views at once, so longer episodes are not shown.")
        return sentences + self.without_curves()


def read_run(folder: Path) -> ReportedRun:
    """Read a run's folder.

    Raises:
        AnyOrderError: when there is no run, its checkpoint is missing or damaged, or what was written about it is damaged.
    """
    folder = Path(folder)
    model, header = load_model(best_checkpoint(folder))
    return ReportedRun.of(folder, model, header, read_findings)


def best_checkpoint(folder: Path) -> Path:
    """The checkpoint of a run: the folder of a language model, or the file of another one.

    Raises:
        AnyOrderError: when there is no run, or no checkpoint.
    """
    if not (folder / CONFIG_FILE).is_file():
        raise AnyOrderError(
            f"there is no run in {folder} (it has no {CONFIG_FILE}); give a folder that `anyorder train --output_dir` wrote"
        )
    of_language_model = folder / BEST.with_suffix("")
    if of_language_model.is_dir():
        return of_language_model
    if (folder / BEST).is_file():
        return folder / BEST
    raise AnyOrderError(f"{folder} has no {BEST}; let its training finish with `anyorder train --resume`")


def stored_manifest(data: Path) -> Manifest | None:
    """The manifest of a data set; None if that is not there."""
    return read_manifest(data) if data.is_dir() else None


def outcomes_in(path: Path) -> dict[str, list[Any]]:
    """Those of an evaluation; empty if there are none."""
    return read_outcomes(path) if path.exists() else {}
