"""An n-gram model of the turns of conversations, as a baseline.

The estimator is interpolated Witten-Bell smoothing (Witten and Bell, 1991; Chen and Goodman, 1999). It is written here in a few
lines because what a context is differs from running text: it ends where something is hidden, and the lowest level is a place in
a turn. Libraries pad sentences and know neither.

Legend: E tokens, V vocabulary.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from anyorder.elements.batch import Budget, EncodedData
from anyorder.elements.layout import Kind, Layout
from anyorder.evaluation.text_questions import places_in_turns

ORDER = 5
"""The longest n-grams: a token and the four before it."""

Context = tuple[int, ...]


class NgramModel:
    """How probable a token is, given what kind of turn it is in, its place there, and the visible tokens just before it.

    The levels are: the shares of all tokens in turns of its kind; those at its place in such turns; those after the token
    before it, after the two before it, and so on. With n tokens seen in a context, T of them different, a level is
    ``(count + T * level below) / (n + T)``; a context that was never seen changes nothing.

    Args:
        shares: kind -> float64 ``[V]``, positive and 1 in all: the lowest level.
        order: of the longest n-grams, at least 1.
    """

    def __init__(self, shares: Mapping[int, np.ndarray], order: int = ORDER) -> None:
        self.shares, self._order = shares, order
        self._followers: dict[Context, Counter[int]] = defaultdict(Counter)

    def fit(self, data: EncodedData[Layout], budget: Budget) -> NgramModel:
        """Count each token of ``data`` that may be asked for, once, after all that stands before it; returns itself."""
        for index in data.in_order(budget):
            batch = data.batch(index)
            layout, rows = batch.layout, [batch.values, batch.layout.kind, places_in_turns(batch.layout)]
            for asked, values, kinds, places in zip(layout.askable, *(one.tolist() for one in rows)):
                for at in asked.nonzero()[:, 0].tolist():
                    if kinds[at] in self.shares:
                        before = values[max(0, at - self._order + 1) : at]
                        self.add(kinds[at], places[at], before, values[at])
        return self

    def add(self, kind: int, place: int, before: Sequence[int], token: int) -> None:
        """Count one token; arguments as of `distribution`."""
        for context in self._contexts(kind, place, before):
            self._followers[context][token] += 1

    def distribution(self, kind: int, place: int, before: Sequence[int]) -> np.ndarray:
        """float64 ``[V]``, 1 in all.

        Args:
            kind: of the turn.
            place: in the turn, from 0.
            before: the visible tokens just before, the nearest last; no more are read than the order says.
        """
        found = self.shares[kind].copy()
        for context in self._contexts(kind, place, before):
            if followers := self._followers.get(context):
                total = followers.total() + len(followers)
                found *= len(followers) / total
                found[list(followers)] += np.fromiter(followers.values(), np.float64) / total
        return found

    def read(self, values: Sequence[int], visible: Sequence[bool], at: int) -> tuple[int, ...]:
        """The visible tokens just before a place, the nearest last: the first hidden one ends them."""
        first = at
        while first > max(0, at - self._order + 1) and visible[first - 1]:
            first -= 1
        return tuple(values[first:at])

    def _contexts(self, kind: int, place: int, before: Sequence[int]) -> Iterator[Context]:
        """From the shortest to the longest. Places are negative, so no context has two meanings."""
        yield kind, -1 - place
        for length in range(1, min(len(before), self._order - 1) + 1):
            yield kind, *before[len(before) - length :]


def token_shares(data: EncodedData[Layout], kinds: Sequence[Kind], num_tokens: int, budget: Budget) -> dict[int, np.ndarray]:
    """For each kind, float64 ``[V]``: each token's share among the tokens that may be asked for. Each token is counted once
    more than it occurs, so none has probability 0."""
    counts = {int(kind): np.ones(num_tokens) for kind in kinds}
    for index in data.in_order(budget):
        batch = data.batch(index)
        for kind in counts:
            chosen = batch.values[batch.layout.askable & (batch.layout.kind == kind)]
            counts[kind] += np.bincount(chosen.numpy(), minlength=num_tokens)
    return {kind: found / found.sum() for kind, found in counts.items()}
