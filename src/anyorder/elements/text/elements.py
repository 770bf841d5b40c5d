"""Text trajectories as elements: one token is one element.

| layout | value for a token |
|---|---|
| kind | that of its turn, also for the marks around the turn |
| attribute | 0, the only field: ``word`` |
| cell | its word (white space separates words); an end token or a mark's token is a cell by itself |
| unit | 0 for the mission, then one number for each turn |
| step | environment time |
| exempt | True for marks, and for turns that are not asked about |

Marks have the kind, step and unit of their turn, so an order ranks and drops them with it, but they are always shown.
A hidden word still shows how many tokens it has; a hidden unit shows only its room.

Legend: B trajectories, E tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from anyorder.elements.batch import Batch, ByLength
from anyorder.elements.layout import Kind, Layout
from anyorder.elements.text.codec import TextCodec
from anyorder.elements.text.form import ChatForm
from anyorder.elements.text.units import TextUnit, TooLong, in_parts, shorten, text_units
from anyorder.types import TextTrajectory

KIND_OF_PART = {"mission": Kind.MISSION, "observation": Kind.OBSERVATION, "action": Kind.ACTION}


@dataclass(frozen=True, eq=False)
class EncodedText:
    """One trajectory as tokens.

    Attributes:
        mission: the instruction.
        values: int64 ``[E]``, the tokens.
        places: name (kind, step, cell, unit, exempt) -> int64 ``[E]``, see `Layout`.
        num_units: number of units: the mission, and each turn after it.
        source: where the trajectory comes from; empty for one that is not stored.
    """

    mission: str
    values: Tensor
    places: dict[str, Tensor]
    num_units: int
    source: str = ""

    def __len__(self) -> int:
        return len(self.values)


def encode_text(trajectory: TextTrajectory, codec: TextCodec, form: ChatForm, limit: int | None = None) -> EncodedText:
    """The tokens of a trajectory, or of as much of it as fits; see `shorten`.

    Args:
        trajectory: a whole one.
        codec: the codec of the model's tokenizer.
        form: how the model reads turns.
        limit: how many tokens fit; None keeps all.

    Raises:
        AnyOrderError: for a role that the form does not know.
        TooLong: where no target fits.
    """
    units = text_units(trajectory, codec, form)
    if limit is not None:
        units = shorten(units, limit, trajectory.source, form.first_steps)
    return replace(assemble(units, trajectory.mission, codec.end_id), source=trajectory.source)


def assemble(units: Sequence[TextUnit], mission: str, end_id: int) -> EncodedText:
    """The elements of units.

    Args:
        units: in their order.
        mission: the instruction.
        end_id: the token that fills a room after its text.
    """
    values: list[int] = []
    rows: dict[str, list[int]] = {name: [] for name in ("kind", "step", "cell", "unit", "exempt")}
    cell = number = 0
    for unit in units:
        number += unit.part != "mission"
        filling = unit.room - len(unit.text)
        values += [*unit.before, *unit.text.ids, *[end_id] * filling, *unit.after]
        words = list(unit.text.words)
        first = cell + len(unit.before)
        after_words = first + (max(words) + 1 if words else 0)
        cell = after_words + filling + len(unit.after)
        rows["cell"] += [*range(first - len(unit.before), first), *(first + word for word in words)]
        rows["cell"] += range(after_words, cell)
        hidden = [not unit.asked and unit.part != "mission"] * unit.room
        rows["exempt"] += [*[True] * len(unit.before), *hidden, *[True] * len(unit.after)]
        for name, place in (("kind", int(KIND_OF_PART[unit.part])), ("step", unit.step), ("unit", number)):
            rows[name] += [place] * len(unit)
    places = {name: torch.tensor(row, dtype=torch.int64) for name, row in rows.items()}
    return EncodedText(mission, torch.tensor(values, dtype=torch.int64), places, number + 1)


def collate_text(encoded: Sequence[EncodedText], pad_id: int) -> Batch[Layout]:
    """A batch of trajectories, padded on the right to the longest. Its values are ``pad_id`` at padding; padding is
    recognised by its kind, so text may contain that token, too."""
    longest = max(map(len, encoded))

    def padded(rows: Sequence[Tensor], filling: int) -> Tensor:
        return torch.stack([torch.nn.functional.pad(row, (0, longest - len(row)), value=filling) for row in rows])

    places = {name: padded([one.places[name] for one in encoded], 0) for name in encoded[0].places}
    layout = Layout(
        kind=places["kind"],
        attribute=torch.zeros_like(places["kind"]),
        step=places["step"],
        cell=places["cell"],
        unit=places["unit"],
        num_cells=1 + int(places["cell"].max()),
        num_units=max(one.num_units for one in encoded),
        missions=tuple(one.mission for one in encoded),
        fields=("word",),
        exempt=places["exempt"].bool(),
    )
    return Batch(padded([one.values for one in encoded], pad_id), layout)


Shortening = Callable[[Sequence[TextUnit], int, str, int], list[list[TextUnit]]]
"""From a trajectory's units, how many tokens fit, its name, and how many first steps stay, to the parts that fit."""


def last_steps(units: Sequence[TextUnit], limit: int, source: str, first_steps: int) -> list[list[TextUnit]]:
    """One part, what `shorten` leaves."""
    return [shorten(units, limit, source, first_steps)]


SHORTENINGS: dict[str, Shortening] = {"last": last_steps, "parts": in_parts}
"""``language_model.long_texts`` -> what becomes of conversations that are too long."""


class EncodedTexts(ByLength):
    """A split of a text data set as elements, ready to be batched; lengths are counted in tokens.

    Args:
        encoded: the split's trajectories.
        pad_id: the codec's token for padding.
    """

    counted_in = "tokens"

    def __init__(self, encoded: Sequence[EncodedText], pad_id: int) -> None:
        self._encoded, self._pad_id = list(encoded), pad_id
        super().__init__([len(one) for one in self._encoded])

    @classmethod
    def of(
        cls, trajectories: Iterable[TextTrajectory], codec: TextCodec, form: ChatForm, limit: int | None = None
    ) -> EncodedTexts:
        """All trajectories, encoded; arguments and errors are those of `encode_text`."""
        return cls([encode_text(trajectory, codec, form, limit) for trajectory in trajectories], codec.pad_id)

    @classmethod
    def fitting(
        cls, trajectories: Iterable[TextTrajectory], codec: TextCodec, form: ChatForm, limit: int, cut: Shortening = last_steps
    ) -> tuple[EncodedTexts, list[str]]:
        """The trajectories that have a target within the limit, encoded; and for each other trajectory a message that says
        why it has none. ``cut`` says what becomes of those that are too long."""
        encoded, left_out = [], []
        for trajectory in trajectories:
            try:
                parts = cut(text_units(trajectory, codec, form), limit, trajectory.source, form.first_steps)
            except TooLong as error:
                left_out.append(str(error))
                continue
            assembled = (assemble(units, trajectory.mission, codec.end_id) for units in parts)
            encoded += [replace(one, source=trajectory.source) for one in assembled]
        return cls(encoded, codec.pad_id), left_out

    @classmethod
    def together(cls, parts: Sequence[EncodedTexts]) -> EncodedTexts:
        """The trajectories of all parts, one part after the other; the parts have one codec."""
        return cls([one for part in parts for one in part._encoded], parts[0]._pad_id)

    @property
    def sources(self) -> list[str]:
        """Where each trajectory comes from."""
        return [one.source for one in self._encoded]

    def chosen(self, index: Iterable[int]) -> EncodedTexts:
        """The chosen trajectories alone."""
        return EncodedTexts([self._encoded[i] for i in index], self._pad_id)

    def batch(self, index: Sequence[int]) -> Batch[Layout]:
        """The chosen trajectories, padded to the longest."""
        return collate_text([self._encoded[i] for i in index], self._pad_id)
