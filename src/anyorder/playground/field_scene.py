"""An episode of any environment as the page shows it.

Legend: F frames, P elements of a frame, A elements of an action.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch

from anyorder.acting.field_policy import FieldHistory, FieldPolicy
from anyorder.elements.batch import Batch
from anyorder.elements.fields import EncodedFields, FieldLayout, collate_fields, frame_columns, mission_columns
from anyorder.elements.layout import Kind
from anyorder.elements.spec import Bins, Field, Spec, Words
from anyorder.errors import AnyOrderError
from anyorder.inference.bin_answers import BinAnswers
from anyorder.inference.decoding import Decoded
from anyorder.inference.field_answers import BAND, named_place, read_field_answers, true_numbers
from anyorder.masking.order import Order, Role
from anyorder.models.element.element_transformer import ElementTransformer
from anyorder.playground.scene import all_shown, from_digits

MOST_DETAILED = 600
"""Targets that come with the probabilities of their values; where more are asked, none does."""


@dataclass(frozen=True)
class EpisodeEnd:
    """What is known of an episode's end.

    Attributes:
        name: ``success``, ``failure`` or, if a limit of steps ended it, ``truncated``; where nothing is said about success,
            ``ended`` or, by that limit, ``stopped``; ``running``.
        num_actions: of the whole episode, so far.
        earned: sum of its rewards.
    """

    name: str
    num_actions: int
    earned: float


@dataclass(frozen=True, eq=False)
class FieldScene:
    """An episode, or a part of it that the model can read at once.

    Attributes:
        model: that is asked about it.
        env_id, seed: where it was played.
        encoded: the part as values.
        outcome: of the whole episode.
        first_step: of the part, in the episode.
        part, num_parts: which one.
        history: of an episode that goes on, what its agent knows: the same frames.
        policy: that acts in it.
    """

    model: ElementTransformer
    env_id: str
    seed: int
    encoded: EncodedFields
    outcome: EpisodeEnd
    first_step: int = 0
    part: int = 0
    num_parts: int = 1
    history: FieldHistory | None = None
    policy: FieldPolicy | None = field(default=None, repr=False)

    @cached_property
    def batch(self) -> Batch[FieldLayout]:
        """Of this part alone."""
        return collate_fields([self.encoded], self.model.spec)

    def to_json(self) -> dict[str, Any]:
        """See `anyorder.playground.scene.Scene`; ``values`` has F true ones for each of P columns, null for none."""
        layout = self.batch.layout
        return {
            "env_id": self.env_id,
            "seed": self.seed,
            "mission": self.encoded.mission,
            "facts": self._facts(),
            "num_head": layout.frame_shape.num_head,
            "num_frames": layout.frame_shape.num_frames,
            "first_step": self.first_step,
            "part": self.part,
            "num_parts": self.num_parts,
            "num_actions": self.outcome.num_actions,
            "earned": _short(self.outcome.earned),
            "outcome": self.outcome.name,
            "roles": all_shown(layout),
            "values": self._values(),
        }

    def told(self, order: Order, decoded: Decoded) -> dict[str, Any]:
        """``targets``: see `anyorder.inference.field_answers.OneAnswer`; numbers have the ``shares`` of their bins, too."""
        answers = read_field_answers(self.model.spec, self.batch, order, decoded).elements
        targets = [answer.to_json() for answer in answers]
        if len(targets) > MOST_DETAILED:
            return {"targets": [{key: of for key, of in target.items() if key != "distribution"} for target in targets]}
        if decoded.logits is not None:
            shares = decoded.logits.double().softmax(dim=1)
            for target, row in zip(targets, shares):
                if target["kind"] == "number":
                    target["shares"] = [round(share, 4) for share in row[row > 0].tolist()]
        return {"targets": targets}

    def next_action(self, roles: str, rebuilds: bool) -> dict[str, Any]:
        """``action``, path -> entries, and what the agent believes of each of its A elements. It always knows what it did."""
        if self.history is None or self.policy is None:
            raise AnyOrderError("only an episode that goes on has a next action; found one that was played; choose a live one")
        if rebuilds:
            raise AnyOrderError("the agent of this environment acts on what it sees; found rebuilds true; leave it out")
        layout = self.batch.layout
        unknown = layout.frame_shape.frames(from_digits(roles, layout) != Role.CONTEXT)[0]
        history = copy.copy(self.history)
        history.hidden = list(unknown & (frame_columns(self.model.spec).kind == Kind.OBSERVATION))
        (action,) = self.policy.flat_actions([history])
        logits = self.policy.logits([history])[0]
        columns = action_columns(self.model.spec)
        return {
            "action": {path: _entries(array) for path, array in action.items()},
            "beliefs": [_belief(self.model.spec, column, row) for column, row in zip(columns, logits)],
        }

    def _facts(self) -> list[dict[str, str]]:
        """Names and values of the mission's fields."""
        columns, spec = mission_columns(self.model.spec), self.model.spec
        facts = []
        for element, (number, place) in enumerate(zip(columns.attribute.tolist(), columns.place.tolist())):
            one, value = spec.fields[number], int(self.batch.values[0, element])
            assert not isinstance(one.values, Words)  # they are the mission itself
            if isinstance(one.values, Bins):
                text = f"{float(true_numbers(self.batch.layout, one)[element]):.4g}"
            else:
                text = one.values.names[value]
            known = bool(self.batch.layout.present[0, element])
            facts.append({"name": named_place(one.name, place, one.num_cells), "value": text if known else "not recorded"})
        return facts

    def _values(self) -> list[list[float | None]]:
        frames, layout = self.batch.layout.frame_shape.frames, self.batch.layout
        values, present = frames(self.batch.values.double())[0], frames(layout.present)[0]
        for number in frame_columns(self.model.spec).attribute.unique().tolist():
            if isinstance((one := self.model.spec.fields[number]).values, Bins):
                own = frame_columns(self.model.spec).attribute == number
                values[:, own] = frames(true_numbers(layout, one)[None])[0][:, own]
        return [
            [_short(value) if there else None for value, there in zip(column, seen)]
            for column, seen in zip(values.T.tolist(), present.T.tolist())
        ]


def action_columns(spec: Spec) -> list[int]:
    """Columns of the A elements of an action in a frame."""
    return (frame_columns(spec).kind == Kind.ACTION).nonzero()[:, 0].tolist()


def described(spec: Spec) -> dict[str, Any]:
    """The fields, and the column of each element of a frame, as plain values."""
    columns = frame_columns(spec)
    places = zip(columns.attribute.tolist(), columns.place.tolist())
    return {"fields": [_described(one) for one in spec.fields], "columns": [_column(spec.fields[n], n, p) for n, p in places]}


def _described(one: Field) -> dict[str, Any]:
    content: dict[str, Any] = {"name": one.name, "part": one.kind, "group": one.group}
    if isinstance(one.values, Bins):
        values = one.values
        return {**content, "kind": "number", "low": values.low, "high": values.high, "number": values.number}
    names = one.values.words if isinstance(one.values, Words) else one.values.names
    recorded = [] if isinstance(one.values, Words) else list(one.values.values)
    return {**content, "kind": "category", "names": list(names), "recorded": recorded}


def _column(one: Field, number: int, place: int) -> dict[str, Any]:
    """``source`` and ``entry``: where it lies in the recorded arrays."""
    name = named_place(one.name, place, one.num_cells)
    return {"field": number, "place": place, "name": name, "source": one.source, "entry": one.start + place * one.stride}


def _belief(spec: Spec, column: int, logits: torch.Tensor) -> dict[str, Any]:
    values = spec.fields[int(frame_columns(spec).attribute[column])].values
    if isinstance(values, Bins):
        median, low, high = BinAnswers.of(logits[None], values).quantiles(0.5, *BAND)[0].tolist()
        return {"column": column, "median": median, "low": low, "high": high}
    return {"column": column, "shares": logits[: len(values)].double().softmax(dim=0).tolist()}


def _entries(array: np.ndarray) -> list[float]:
    return np.asarray(array, np.float64).ravel().tolist()


def _short(number: float) -> float:
    return float(f"{number:.6g}")
