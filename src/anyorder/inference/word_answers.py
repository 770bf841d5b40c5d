"""What a language model said in the place of hidden words, word by word, with what else it found probable.

Legend: E elements, K tokens that were asked for, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from anyorder.elements.batch import Batch
from anyorder.elements.layout import Layout
from anyorder.elements.text.codec import TextCodec
from anyorder.inference.decoding import Decoded
from anyorder.masking.order import Order

MOST_ALTERNATIVES = 3


@dataclass(frozen=True)
class WordAnswer:
    """The answer at the places of one word.

    Attributes:
        elements: the places, as numbers of elements.
        answer, truth: in words; empty where the turn ends.
        probability: of the answer, the product over its tokens.
        alternatives: the most probable words of as many tokens, each with its probability, the most probable first; empty where
            several passes decided.
        right: True where every token is the true one.
    """

    elements: tuple[int, ...]
    answer: str
    truth: str
    probability: float
    alternatives: tuple[tuple[str, float], ...]
    right: bool

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class AnsweredWords:
    """A model's answers about one conversation, to be read word by word.

    Attributes:
        codec: of the model's tokenizer.
        batch: of the conversation, with the true tokens.
        order: what was asked.
        decoded: what was answered.
    """

    codec: TextCodec
    batch: Batch[Layout]
    order: Order
    decoded: Decoded

    def of_turn(self, elements: Sequence[int]) -> list[WordAnswer]:
        """The answers at the places of a turn, in their order.

        Args:
            elements: the places where the turn's words stand. Where all of them were asked for, the words are those of the
                answer, up to the first end token; otherwise they are the true words that were asked for.
        """
        asked = [element for element in elements if element in self._rows]
        if len(asked) == len(elements):
            said = self.decoded.values[0, asked].tolist()
            return [self._word([asked[place] for place in word]) for word in words_of(self.codec, said)]
        cells = self.batch.layout.cell[0]
        return [self._word([one for one in asked if cells[one] == cell]) for cell in cells[asked].unique_consecutive()]

    def truth_probability(self, elements: Sequence[int]) -> float | None:
        """The probability of the true tokens at these places, those asked for alone; None where several passes decided."""
        rows = [self._rows[element] for element in elements if element in self._rows]
        if self._shares is None:
            return None
        truth = self.batch.values[0, [one for one in elements if one in self._rows]]
        return float(self._shares[rows].gather(1, truth[:, None]).log().sum().exp())

    def shares_of(self, elements: Sequence[int]) -> Tensor | None:
        """float64 ``[len(elements), V]``: the probabilities of all tokens at these places; None where one of them was not asked
        for, or several passes decided."""
        if self._shares is None or not all(element in self._rows for element in elements):
            return None
        return self._shares[[self._rows[element] for element in elements]]

    @cached_property
    def _rows(self) -> dict[int, int]:
        """Element -> its row among the K."""
        return {element: row for row, element in enumerate(self.order.targets[0].nonzero()[:, 0].tolist())}

    @cached_property
    def _shares(self) -> Tensor | None:
        return None if self.decoded.logits is None else self.decoded.logits.double().softmax(dim=1)

    def _word(self, elements: list[int]) -> WordAnswer:
        said, truth = self.decoded.values[0, elements], self.batch.values[0, elements]
        shares = self.shares_of(elements)
        return WordAnswer(
            elements=tuple(elements),
            answer=self._text(said.tolist()),
            truth=self._text(truth.tolist()),
            probability=float(self.decoded.probability[0, elements].double().prod()),
            alternatives=()
            if shares is None
            else tuple((self._text(ids), share) for ids, share in likeliest(shares, MOST_ALTERNATIVES)),
            right=bool((said == truth).all()),
        )

    def _text(self, ids: Sequence[int]) -> str:
        return self.codec.decode(list(ids)).strip()


def words_of(codec: TextCodec, ids: Sequence[int]) -> list[list[int]]:
    """The places of each word among tokens, up to the first end token, which is the last word by itself."""
    end = list(ids).index(codec.end_id) if codec.end_id in ids else len(ids)
    found: list[list[int]] = []
    so_far = 0
    for place in range(end):
        number = len(codec.decode(list(ids[: place + 1])).split())
        if number > so_far or not found:
            found.append([])
        found[-1].append(place)
        so_far = max(so_far, number)
    return [*found, [end]] if end < len(ids) else found


def likeliest(shares: Tensor, number: int) -> Iterator[tuple[tuple[int, ...], float]]:
    """The most probable sequences of independent tokens, each with its probability, the most probable first.

    Args:
        shares: ``[length, V]``, the probabilities of the tokens at each place.
        number: how many sequences.
    """
    best: list[tuple[tuple[int, ...], float]] = [((), 1.0)]
    for row in shares:
        top = torch.topk(row, min(number, len(row)))
        nexts = list(zip(top.indices.tolist(), top.values.tolist()))
        longer = [((*ids, token), share * more) for ids, share in best for token, more in nexts]
        best = sorted(longer, key=lambda one: -one[1])[:number]
    yield from best
