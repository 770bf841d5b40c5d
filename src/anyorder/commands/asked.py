"""What ``anyorder query`` can ask about: a trajectory in a grid, one of any environment, or a conversation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from rich.table import Table

from anyorder.build.checkpoints import is_of_conversations, load_model
from anyorder.build.elements import holds_fields, load_element_checkpoint, read_fields_for
from anyorder.build.evidence import mission_evidence
from anyorder.build.headers import data_folder
from anyorder.commands.subject import AskedTrajectory, Subject
from anyorder.data.storage import read_split
from anyorder.elements.batch import Batch, EncodedTrajectories
from anyorder.elements.fields import FieldLayout, collate_fields, cut_fields, encode_fields
from anyorder.elements.grid import GridLayout, encode
from anyorder.errors import AnyOrderError
from anyorder.inference.answers import Answer, read_answer
from anyorder.inference.decoding import Decoded
from anyorder.inference.field_answers import FieldAnswers, read_field_answers
from anyorder.inference.futures import RankedSample
from anyorder.inference.missions import RankedMission, rank_missions
from anyorder.masking.order import Order
from anyorder.models.contract import GridModel
from anyorder.models.element.element_transformer import ElementTransformer
from anyorder.pictures.answer_picture import answer_picture
from anyorder.pictures.answer_tables import answer_tables, samples_table
from anyorder.pictures.field_answer_tables import field_answer_tables, field_samples_table
from anyorder.pictures.field_plot import series_figure
from anyorder.pictures.field_series import answered_series
from anyorder.types import Trajectory

PICTURE_SERIES, PICTURE_DPI = 12, 130


def subject_of(chosen: Subject) -> AskedTrajectory:
    """The trajectory and the model that a user means.

    Raises:
        AnyOrderError: where there is no such trajectory, or the checkpoint holds no model of trajectories.
    """
    if holds_fields(chosen.checkpoint):
        return _asked_fields(chosen)
    if is_of_conversations(chosen.checkpoint):
        from anyorder.commands.asked_text import asked_text  # the import of transformers takes seconds

        return asked_text(chosen)
    return _asked_grid(chosen)


@dataclass(frozen=True, eq=False)
class AskedGrid:
    """A trajectory in a grid."""

    model: GridModel
    trajectory: Trajectory
    folder: Path
    header: Mapping[str, Any]

    @cached_property
    def batch(self) -> Batch[GridLayout]:
        return EncodedTrajectories([self.trajectory], self.model.vocabulary).batch([0])

    @property
    def title(self) -> str:
        return f"“{self.batch.layout.missions[0]}”"

    @property
    def about(self) -> Mapping[str, Any]:
        return {"mission": self.batch.layout.missions[0]}

    def read(self, order: Order, decoded: Decoded) -> Answer:
        return read_answer(self.model.vocabulary, self.batch, order, decoded)

    def tables(self, answer: Answer) -> Iterator[Table]:
        return answer_tables(answer)

    def samples_table(self, samples: Sequence[RankedSample[Answer]], truth: float | None) -> Table:
        return samples_table(samples, truth)

    def draw(self, order: Order, decoded: Decoded, path: Path) -> None:
        answer_picture(self.model.vocabulary, self.batch, order, decoded.values).save(path, format="png")

    def missions(self) -> list[RankedMission]:
        told = [trajectory.mission for trajectory in read_split(self.folder, "train") if trajectory.mission]
        if not told:
            raise AnyOrderError(f"the training split must have missions to choose among; found none in {self.folder}")
        evidence = mission_evidence(self.header, told)
        return rank_missions(self.model, encode(self.trajectory, self.model.vocabulary), sorted(set(told)), evidence)


def _asked_grid(chosen: Subject) -> AskedGrid:
    model, header = load_model(chosen.checkpoint)
    chosen.check_part(1)
    folder = data_folder(header, chosen.data, str(chosen.checkpoint))
    return AskedGrid(model, chosen.pick(read_split(folder, chosen.split)), folder, header)


@dataclass(frozen=True, eq=False)
class AskedFields:
    """A trajectory of any environment, or a part of it.

    Attributes:
        model: of its spec.
        batch: of the part.
        env_id, seed: of the trajectory.
        num_actions: of the whole trajectory.
        part, num_parts: which one.
        first_step: of the part, in the trajectory.
    """

    model: ElementTransformer
    batch: Batch[FieldLayout]
    env_id: str
    seed: int
    num_actions: int
    part: int
    num_parts: int
    first_step: int

    @property
    def title(self) -> str:
        mission = f", “{self.batch.layout.missions[0]}”" if self.batch.layout.missions[0] else ""
        last = self.first_step + self.batch.layout.frame_shape.num_frames - 1
        part = f", part {self.part} of {self.num_parts} (steps {self.first_step} to {last} of {self.num_actions})"
        return f"{self.env_id}, seed {self.seed}{mission}{part if self.num_parts > 1 else ''}"

    @property
    def about(self) -> Mapping[str, Any]:
        where = {"env_id": self.env_id, "seed": self.seed, "mission": self.batch.layout.missions[0]}
        return {**where, "part": self.part, "num_parts": self.num_parts, "first_step": self.first_step}

    def read(self, order: Order, decoded: Decoded) -> FieldAnswers:
        return read_field_answers(self.model.spec, self.batch, order, decoded)

    def tables(self, answer: FieldAnswers) -> Iterator[Table]:
        return field_answer_tables(answer)

    def samples_table(self, samples: Sequence[RankedSample[FieldAnswers]], truth: float | None) -> Table:
        return field_samples_table(self.model.spec, samples, truth)

    def draw(self, order: Order, decoded: Decoded, path: Path) -> None:
        series = answered_series(self.model.spec, self.batch, order, decoded, PICTURE_SERIES)
        series_figure(series).savefig(path, format="png", dpi=PICTURE_DPI)

    def missions(self) -> list[RankedMission]:
        raise AnyOrderError("missions are ranked by models of MiniGrid alone; found the general model; ask another checkpoint")


def _asked_fields(chosen: Subject) -> AskedFields:
    saved = load_element_checkpoint(chosen.checkpoint)
    folder = data_folder(saved.header, chosen.data, str(chosen.checkpoint))
    trajectory = chosen.pick(read_fields_for(saved, folder, chosen.split))
    model = saved.model
    parts = cut_fields(encode_fields(trajectory, model.spec), model.max_frames)
    chosen.check_part(len(parts))
    first = sum(part.num_actions for part in parts[: chosen.part])
    batch = collate_fields([parts[chosen.part]], model.spec)
    where = trajectory.env_id, trajectory.seed, len(trajectory), chosen.part, len(parts), first
    return AskedFields(model, batch, *where)
