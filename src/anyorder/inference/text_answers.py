"""What a language model said in the place of hidden turns, and what was said in truth.

Legend: B trajectories, E elements.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from anyorder.elements.batch import Batch
from anyorder.elements.layout import Kind, Layout
from anyorder.elements.text.codec import TextCodec
from anyorder.inference.decoding import Decoded
from anyorder.masking.order import Order

PART_OF_KIND = {Kind.MISSION: "mission", Kind.OBSERVATION: "observation", Kind.ACTION: "action"}


@dataclass(frozen=True)
class TurnAnswer:
    """One turn that was asked for, whole or in part.

    Attributes:
        part: ``observation`` or ``action``.
        step: environment time.
        answer, truth: in words.
        probability: product over its tokens, of each when it was chosen; tokens that are chosen together do not know of each
            other.
        num_tokens: that were asked for.
        right: True where every token is the true one.
    """

    part: str
    step: int
    answer: str
    truth: str
    probability: float
    num_tokens: int
    right: bool


@dataclass(frozen=True)
class TextAnswer:
    """All answers about one conversation, turn by turn."""

    turns: tuple[TurnAnswer, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"turns": [asdict(turn) for turn in self.turns]}


def read_text_answer(codec: TextCodec, batch: Batch[Layout], order: Order, decoded: Decoded) -> TextAnswer:
    """A model's answer in words, with the truth.

    Args:
        codec: of the model's tokenizer.
        batch: of one conversation, with the true tokens.
        order: what was asked.
        decoded: what was answered.
    """
    found = []
    for _, inside in turns_of(batch.layout):
        if (inside & order.targets[0]).any():
            found.append(turn_answer(codec, batch, order, decoded, inside))
    return TextAnswer(tuple(found))


def turn_answer(codec: TextCodec, batch: Batch[Layout], order: Order, decoded: Decoded, inside: Tensor) -> TurnAnswer:
    """The answer about one turn of which something was asked for; ``inside`` is bool ``[E]``, its elements."""
    asked, layout = inside & order.targets[0], batch.layout
    said, truth = decoded.values[0], batch.values[0]
    return TurnAnswer(
        part=PART_OF_KIND[Kind(int(layout.kind[0][inside][0]))],
        step=int(layout.step[0][inside][0]),
        answer=codec.decode(said[inside].tolist()),
        truth=codec.decode(truth[inside].tolist()),
        probability=float(decoded.probability[0][asked].log().sum().exp()),
        num_tokens=int(asked.sum()),
        right=bool((said == truth)[asked].all()),
    )


def turns_of(layout: Layout) -> Iterator[tuple[Kind, Tensor]]:
    """The kind of each turn of a conversation, and bool ``[E]``: its elements; without the marks around it, where it may be
    asked about."""
    for unit in layout.unit[0].unique_consecutive().tolist():
        own = layout.present[0] & (layout.unit[0] == unit)
        inside = own & layout.askable[0]
        if own.any() and (kind := Kind(int(layout.kind[0][own][0]))) in PART_OF_KIND:
            yield kind, inside if inside.any() else own
