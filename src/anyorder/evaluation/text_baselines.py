"""Baselines that are asked what a language model is asked about conversations, and see what it sees.

Legend: K targets, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from anyorder.elements.batch import Budget, EncodedData
from anyorder.elements.layout import Kind, Layout
from anyorder.evaluation.text_copies import TextCopies, copied_tokens
from anyorder.evaluation.text_modes import TextMode
from anyorder.evaluation.text_ngrams import NgramModel
from anyorder.evaluation.text_questions import TextQuestions
from anyorder.seeding import stream

MOST_FREQUENT_TOKEN, NGRAM, COPIED = "most_frequent", "ngram", "copy"
AGREEMENTS = 8
"""How often a copy is right is counted for 0, 1, 2 to 3, 4 to 7, ... agreeing tokens, the last number or more together."""
COPIES_FITTED_ON = 16
"""Batches of the training split on which that is counted."""


@dataclass(frozen=True, eq=False)
class BaselineAnswers:
    """What the baselines answer, target by target in the order of the targets, by baseline: the most frequent token of its kind
    of turn, the n-gram model, the copy.

    Attributes:
        right: bool ``[K]``.
        nll: float64 ``[K]``, nats, of the true tokens.
    """

    right: Mapping[str, Tensor]
    nll: Mapping[str, Tensor]


@dataclass(frozen=True, eq=False)
class TextBaselines:
    """The baselines for one way of asking.

    Attributes:
        ngrams: counted on the training split; its lowest level knows the most frequent token.
        copies_right: see `share_of_copies_right`.
    """

    ngrams: NgramModel
    copies_right: Tensor

    def answers(self, questions: TextQuestions) -> BaselineAnswers:
        """What the baselines answer; where nothing is copied, a copy answers what the n-gram model does.

        The NLL of a copy is that of a forecaster who gives the copied token the share of copies that are right where as many
        tokens agree, and the other tokens what is left, in proportion to their probability in the n-gram model.
        """
        kinds, truth, copies = questions.kinds[questions.asked], questions.values[questions.asked], copied_tokens(questions)
        frequent, best = torch.empty_like(truth), torch.empty_like(truth)
        share, likely, copy_likely = (torch.empty(len(truth), dtype=torch.float64) for _ in range(3))
        for context, numbers in self._by_context(questions).items():
            of_kind, found = self.ngrams.shares[context[0]], self.ngrams.distribution(*context)
            frequent[numbers], best[numbers] = int(of_kind.argmax()), int(found.argmax())
            true = truth[numbers].numpy()
            share[numbers], likely[numbers] = torch.from_numpy(of_kind[true]), torch.from_numpy(found[true])
            copy_likely[numbers] = torch.from_numpy(found[copies.tokens[numbers].clamp(min=0).numpy()])
        trusted = self.copies_right[kinds, _agreement_bin(copies)]
        copied = copies.tokens.where(copies.agreement > 0, best)
        mixed = torch.where(copied == truth, trusted, (1 - trusted) * likely / (1 - copy_likely))
        mixed = mixed.where(copies.agreement > 0, likely)
        order = questions.numbers.argsort()
        right = {MOST_FREQUENT_TOKEN: frequent == truth, NGRAM: best == truth, COPIED: copied == truth}
        nll = {MOST_FREQUENT_TOKEN: -share.log(), NGRAM: -likely.log(), COPIED: -mixed.log()}
        return BaselineAnswers(
            {name: one[order] for name, one in right.items()}, {name: one[order] for name, one in nll.items()}
        )

    def _by_context(self, questions: TextQuestions) -> dict[tuple[int, int, tuple[int, ...]], list[int]]:
        """Kind, place and visible tokens before, as the n-gram model reads them -> the targets that have them."""
        found: dict[tuple[int, int, tuple[int, ...]], list[int]] = {}
        rows = (one.tolist() for one in (questions.values, questions.visible, questions.kinds, questions.places))
        number = 0
        for asked, values, visible, kinds, places in zip(questions.asked, *rows):
            for at in asked.nonzero()[:, 0].tolist():
                context = kinds[at], places[at], self.ngrams.read(values, visible, at)
                found.setdefault(context, []).append(number)
                number += 1
        return found


def share_of_copies_right(mode: TextMode, train: EncodedData[Layout], budget: Budget, seed: int) -> Tensor:
    """float64 ``[len(Kind), AGREEMENTS]``: how often a copy is right where some of the training split is asked in this way, by
    kind and by how many tokens agree. The counts of right and of wrong copies are raised by one.

    Args:
        mode: the way of asking.
        train: the training split.
        budget: size of one batch; about `COPIES_FITTED_ON` of them are asked.
        seed: of the random choice of what is hidden.
    """
    counts = torch.ones(len(Kind) * AGREEMENTS, 2, dtype=torch.float64)
    batches = list(train.in_order(budget))
    for number, index in enumerate(batches[:: max(1, len(batches) // COPIES_FITTED_ON)]):
        for found in mode(train.batch(index), stream(seed, "copies", number)):
            questions = TextQuestions.of(found.batch, found.order)
            copies = copied_tokens(questions)
            place = questions.kinds[questions.asked] * AGREEMENTS + _agreement_bin(copies)
            right = (copies.tokens == questions.values[questions.asked]).long()
            counts.index_put_((place, right), torch.ones((), dtype=torch.float64), accumulate=True)
    return (counts[:, 1] / counts.sum(dim=1)).view(len(Kind), AGREEMENTS)


def _agreement_bin(copies: TextCopies) -> Tensor:
    """int64 ``[K]``: 0, 1, 2 to 3, 4 to 7, ... agreeing tokens."""
    bins = (copies.agreement.double() + 0.5).log2().floor() + 1
    return bins.clamp(0, AGREEMENTS - 1).long()
