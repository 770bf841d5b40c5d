"""How well a language model rebuilds what is hidden of conversations: accuracy and NLL per token, over the targets alone.

Legend: K targets, V vocabulary.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from anyorder.elements.batch import Budget, EncodedData
from anyorder.elements.layout import Kind, Layout
from anyorder.evaluation.statistics import Proportion
from anyorder.evaluation.text_baselines import COPIED, MOST_FREQUENT_TOKEN, NGRAM, TextBaselines, share_of_copies_right
from anyorder.evaluation.text_modes import TextMode, TextPass, text_modes
from anyorder.evaluation.text_ngrams import NgramModel, token_shares
from anyorder.evaluation.text_questions import TextQuestions
from anyorder.evaluation.texts import TextFindings, TokenScore
from anyorder.inference.decoding import ask
from anyorder.models.contract import Model
from anyorder.seeding import stream

SCORED_AT_ONCE = Budget(4096, "tokens")
SCORED_KINDS = {"actions": Kind.ACTION, "observations": Kind.OBSERVATION}


@torch.no_grad()
def score_texts(
    model: Model[Layout],
    train: EncodedData[Layout],
    test: EncodedData[Layout],
    env_id: str,
    num_tokens: int,
    end_id: int,
    rate: float = 0.3,
    budget: Budget = SCORED_AT_ONCE,
    seed: int = 0,
    on_batch: Callable[[str, int], None] = lambda way, size: None,
) -> TextFindings:
    """Score a model on a test split.

    Args:
        model: one whose values are tokens; left in evaluation mode.
        train: the split on which the baselines are counted.
        test: the split that is scored.
        env_id: which task the conversations are about.
        num_tokens: V.
        end_id: the token that ends a turn.
        rate: share of the turns that ``infilling`` hides, and of the words that ``filtering`` and ``smoothing`` hide.
        budget: size of one batch; what is hidden depends on it, so compare models with equal budgets.
        seed: of the random choice of what is hidden.
        on_batch: called with the way of asking and the number of conversations of each batch, for progress bars.
    """
    model.eval()
    ngrams = NgramModel(token_shares(train, list(SCORED_KINDS.values()), num_tokens, budget)).fit(train, budget)
    scores, left_out = {}, dict[str, int]()
    for way, mode in text_modes(rate).items():
        sums = _Sums(model, TextBaselines(ngrams, share_of_copies_right(mode, train, budget, seed)), end_id)
        for number, index in enumerate(test.in_order(budget)):
            silent = len(index) - _scored(sums, mode, test, index, stream(seed, "evaluation", way, number))
            if silent:
                left_out[way] = left_out.get(way, 0) + silent
            on_batch(way, len(index))
        scores[way] = sums.scores()
    return TextFindings(env_id, scores, left_out)


def _scored(sums: _Sums, mode: TextMode, test: EncodedData[Layout], index: list[int], generator: torch.Generator) -> int:
    """Score one batch; returns how many of its conversations had something to ask for."""
    asked = set[int]()
    for found in mode(test.batch(index), generator):
        sums.add(found)
        asked.update(found.row.tolist())
    return len(asked)


class _Sums:
    """The figures of one way of asking, added up."""

    def __init__(self, model: Model[Layout], baselines: TextBaselines, end_id: int) -> None:
        self._model, self._baselines, self._end_id = model, baselines, end_id
        self._figures: dict[str, dict[str, float]] = {}

    def add(self, found: TextPass) -> None:
        """Ask the model and the baselines."""
        batch, order = found.batch, found.order
        logits, truth = ask(self._model, batch, order), batch.values[order.targets]
        answers = self._baselines.answers(TextQuestions.of(batch, order))
        right = logits.argmax(dim=-1) == truth
        knowable = torch.stack(list(answers.right.values())).any(dim=0)
        columns = {
            "count": torch.ones_like(right),
            "right": right,
            "knowable": knowable,
            "right of knowable": right & knowable,
            "nll": functional.cross_entropy(logits, truth, reduction="none"),
            **{f"{name} right": one for name, one in answers.right.items()},
            **{f"{name} nll": one for name, one in answers.nll.items()},
        }
        kinds, ends = batch.layout.kind[order.targets], truth == self._end_id
        for name, kind in SCORED_KINDS.items():
            for label, chosen in ((name, (kinds == kind) & ~ends), (f"{name} ends", (kinds == kind) & ends)):
                if chosen.any():
                    self._add(label, columns, chosen)

    def _add(self, label: str, columns: dict[str, Tensor], chosen: Tensor) -> None:
        figures = self._figures.setdefault(label, defaultdict(float))
        for name, column in columns.items():
            figures[name] += float(column[chosen].double().sum())

    def scores(self) -> dict[str, TokenScore]:
        """By what was asked for; what has no tokens is left out."""
        return {label: _token_score(figures) for label, figures in sorted(self._figures.items())}


def _token_score(figures: dict[str, float]) -> TokenScore:
    count, knowable = int(figures["count"]), int(figures["knowable"])

    def share(name: str) -> Proportion:
        return Proportion(int(figures[name]), count)

    return TokenScore(
        accuracy=share("right"),
        most_frequent=share(f"{MOST_FREQUENT_TOKEN} right"),
        nll_per_token=figures["nll"] / count,
        frequency_nll_per_token=figures[f"{MOST_FREQUENT_TOKEN} nll"] / count,
        ngram=share(f"{NGRAM} right"),
        ngram_nll_per_token=figures[f"{NGRAM} nll"] / count,
        copy=share(f"{COPIED} right"),
        copy_nll_per_token=figures[f"{COPIED} nll"] / count,
        knowable=share("knowable"),
        right_of_knowable=Proportion(int(figures["right of knowable"]), knowable) if knowable else None,
    )
