"""A conversation as ``anyorder query`` asks about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from rich.table import Table

from anyorder.acting.text_agent import TextAgent
from anyorder.build.checkpoints import load_conversation_model
from anyorder.build.headers import data_folder
from anyorder.build.language import ConversationModel
from anyorder.commands.subject import Subject
from anyorder.config import DataConfig
from anyorder.data.text_storage import read_text_split
from anyorder.elements.batch import Batch
from anyorder.elements.layout import Layout
from anyorder.elements.text.elements import collate_text, encode_text
from anyorder.envs.played_text import PlayedText, played_text
from anyorder.errors import AnyOrderError
from anyorder.evaluation.text_acting import choices_along
from anyorder.inference.chain_rule import ChainInOnePass
from anyorder.inference.decoding import Decoded
from anyorder.inference.futures import RankedSample
from anyorder.inference.missions import RankedMission, ranked_by
from anyorder.inference.text_answers import TextAnswer, read_text_answer
from anyorder.masking.order import Order, imitate
from anyorder.pictures.text_answer_tables import text_answer_tables, text_samples_table
from anyorder.types import TextTrajectory, Turn


@dataclass(frozen=True, eq=False)
class AskedText:
    """A conversation, or a part of it.

    Attributes:
        conversations: the model with the reader of its conversations.
        batch: of the part.
        whole: the conversation.
        folder: of the data set.
        part, num_parts: which one.
    """

    conversations: ConversationModel
    batch: Batch[Layout]
    whole: TextTrajectory
    folder: Path
    part: int
    num_parts: int

    @property
    def model(self) -> Any:
        return self.conversations.model

    @property
    def title(self) -> str:
        part = f", part {self.part} of {self.num_parts}" if self.num_parts > 1 else ""
        return f"{self.whole.source}{part}: “{self.whole.mission}”"

    @property
    def about(self) -> Mapping[str, Any]:
        return {"mission": self.whole.mission, "source": self.whole.source, "part": self.part}

    def read(self, order: Order, decoded: Decoded) -> TextAnswer:
        return read_text_answer(self.conversations.reader.codec, self.batch, order, decoded)

    def tables(self, answer: TextAnswer) -> Iterator[Table]:
        return text_answer_tables(answer, self._choices(answer))

    def samples_table(self, samples: Sequence[RankedSample[TextAnswer]], truth: float | None) -> Table:
        return text_samples_table(samples, truth)

    def draw(self, order: Order, decoded: Decoded, path: Path) -> None:
        raise AnyOrderError("a picture shows grids and fields; found a conversation; leave out --picture")

    def missions(self) -> list[RankedMission]:
        missions = sorted({one.mission for one in read_text_split(self.folder, "train")} - {""})
        if not missions:
            raise AnyOrderError(f"the training split must have missions to choose among; found none in {self.folder}")
        return ranked_by(self._likelihood, missions)

    @torch.no_grad()
    def _likelihood(self, mission: str) -> float:
        """Nats, of the actions of the whole conversation if it had this mission."""
        reader, rest = self.conversations.reader, [turn for turn in self.whole.turns if turn.part != "mission"]
        told = replace(self.whole, turns=(Turn("mission", _role(self.whole), mission, False), *rest))
        batch = collate_text([encode_text(told, reader.codec, reader.form, reader.limit)], reader.codec.pad_id)
        return float(ChainInOnePass()(self.model, batch, imitate(batch.layout)).total[0])

    def _choices(self, answer: TextAnswer) -> dict[str, float] | None:
        """What could be done where one action was asked for, with the probabilities that an agent would give it there; None
        where nobody knows, and in later parts, whose steps are numbered anew."""
        played = _played(self.whole)
        if played is None or self.part or [turn.part for turn in answer.turns] != ["action"]:
            return None
        reader = self.conversations.reader
        agent = TextAgent(self.model, reader.codec, reader.form, reader.limit)
        step = answer.turns[0].step
        found = choices_along(agent, played)[step]
        return None if found is None else dict(zip(played.admissible[step], found.exp().tolist()))


def _role(whole: TextTrajectory) -> str:
    return next((turn.role for turn in whole.turns if turn.part == "mission"), "system")


def _played(whole: TextTrajectory) -> PlayedText | None:
    try:
        return played_text(whole)
    except (ValueError, TypeError, KeyError):
        return None


def asked_text(chosen: Subject) -> AskedText:
    """The conversation that a user means.

    Raises:
        AnyOrderError: where there is no such conversation.
    """
    conversations, header = load_conversation_model(chosen.checkpoint)
    folder = data_folder(header, chosen.data, str(chosen.checkpoint))
    texts = conversations.reader.read(DataConfig(str(folder)), chosen.split)
    source = chosen.pick(list(dict.fromkeys(texts.sources)))
    parts = [number for number, one in enumerate(texts.sources) if one == source]
    chosen.check_part(len(parts))
    (whole,) = (one for one in read_text_split(folder, chosen.split) if one.source == source)
    return AskedText(conversations, texts.batch([parts[chosen.part]]), whole, folder, chosen.part, len(parts))
