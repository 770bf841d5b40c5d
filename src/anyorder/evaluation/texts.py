"""How well a language model rebuilds hidden turns of conversations: accuracy and NLL per token, over the targets alone.

Legend: K targets, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

import torch
from rich.table import Table
from torch import Tensor
from torch.nn import functional

from anyorder.elements.batch import Batch, Budget, EncodedData
from anyorder.elements.layout import Kind, Layout
from anyorder.evaluation.statistics import Proportion
from anyorder.evaluation.text_acting import ChoiceScore, TextTaskScore, acting_json, acting_tables
from anyorder.inference.decoding import ask
from anyorder.masking.order import Order
from anyorder.masking.schedules import Rate
from anyorder.masking.strategies import ForwardDynamics, NextAction, Strategy, Unit, answerable
from anyorder.models.contract import Model
from anyorder.seeding import stream
from anyorder.terminal import titled_table

SCORED_AT_ONCE = Budget(4096, "tokens")
SCORED_KINDS = {"actions": Kind.ACTION, "observations": Kind.OBSERVATION}


def text_orders(unit_rate: float) -> dict[str, Strategy]:
    """The ways of asking about the test split, by name: every action and every observation from its own past, and whole turns
    hidden at random, with past and future visible."""
    return {"next action": NextAction(), "forward": ForwardDynamics(), "infilling": Unit(Rate(unit_rate, unit_rate))}


@dataclass(frozen=True)
class TokenScore:
    """The score of all tokens of one kind that are asked for in one way. The token that ends a turn also fills the rest of the
    room that a hidden turn has, so it is scored apart from the others.

    Attributes:
        accuracy: share of the tokens that the model gets right.
        most_frequent: accuracy of the most frequent token of that kind in the training split.
        nll_per_token: nats, of the true tokens under the model.
        frequency_nll_per_token: nats, under the shares of tokens of that kind in the training split; each token is
            counted once more than it occurs.
    """

    accuracy: Proportion
    most_frequent: Proportion
    nll_per_token: float
    frequency_nll_per_token: float


@dataclass(frozen=True)
class TextFindings:
    """Scores of the test split.

    Attributes:
        env_id: which task the conversations are about.
        scores: way of asking -> "actions", "observations", and each followed by " ends" -> score; what has no tokens is
            left out.
        left_out: way of asking -> how many conversations have nothing that it asks for; only ways that leave some out.
        played: how the agent did in episodes; empty where none were played.
        choices: how often it would do what the demonstrations of the test split do; empty where nobody played them.
    """

    env_id: str
    scores: dict[str, dict[str, TokenScore]]
    left_out: dict[str, int] = field(default_factory=dict)
    played: list[TextTaskScore] = field(default_factory=list)
    choices: list[ChoiceScore] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Every number with its counts and intervals."""
        left_out = {"left_out": self.left_out} if self.left_out else {}
        acting = acting_json(self.played, self.choices) if self.played or self.choices else {}
        return {"env_id": self.env_id, **left_out, **acting} | {
            way: {
                name: {
                    "accuracy": score.accuracy.to_json(),
                    "most_frequent": score.most_frequent.to_json(),
                    "nll_per_token": score.nll_per_token,
                    "frequency_nll_per_token": score.frequency_nll_per_token,
                }
                for name, score in of_way.items()
            }
            for way, of_way in self.scores.items()
        }

    def tables(self, metrics: Collection[str] = ()) -> list[Table]:
        """All scores, whatever the metrics."""
        numbers = ("tokens", "model", "most frequent token", "NLL, nats", "shares in training")
        title = "Hidden tokens of the test split, with 95% intervals"
        table = titled_table(title, "asked", "of", *numbers, right=numbers)
        for way, of_way in self.scores.items():
            for name, score in of_way.items():
                nlls = f"{score.nll_per_token:.3f}", f"{score.frequency_nll_per_token:.3f}"
                table.add_row(way, name, f"{score.accuracy.count:,}", str(score.accuracy), str(score.most_frequent), *nlls)
            table.add_section()
        return [*acting_tables(self.played, self.choices), *([table] if self.scores else [])]


@torch.no_grad()
def score_texts(
    model: Model[Layout],
    train: EncodedData[Layout],
    test: EncodedData[Layout],
    env_id: str,
    num_tokens: int,
    end_id: int,
    unit_rate: float = 0.3,
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
        unit_rate: share of the turns that ``infilling`` hides.
        budget: size of one pass; what is hidden depends on it, so compare models with equal budgets.
        seed: of the random choice of what is hidden.
        on_batch: called with the way of asking and the number of conversations of each batch, for progress bars.
    """
    model.eval()
    shares = {name: _shares(train, kind, num_tokens, budget) for name, kind in SCORED_KINDS.items()}
    scores, left_out = {}, dict[str, int]()
    for way, strategy in text_orders(unit_rate).items():
        sums: dict[str, Tensor] = {}
        for number, index in enumerate(test.in_order(budget)):
            batch = test.batch(index)
            asked = answerable(strategy, batch.layout).nonzero()[:, 0]
            if len(asked) < len(index):
                left_out[way] = left_out.get(way, 0) + len(index) - len(asked)
                batch = batch.rows(asked)
            if len(asked):
                order = strategy(batch.layout, stream(seed, "evaluation", way, number))
                _add(sums, model, batch, order, shares, end_id)
            on_batch(way, len(index))
        scores[way] = {name: _score(found) for name, found in sorted(sums.items())}
    return TextFindings(env_id, scores, left_out)


def _shares(train: EncodedData[Layout], kind: Kind, num_tokens: int, budget: Budget) -> Tensor:
    """float64 ``[V]``: log of each token's share among the tokens of a kind that may be asked for."""
    counts = torch.ones(num_tokens, dtype=torch.float64)
    for index in train.in_order(budget):
        batch = train.batch(index)
        counts += torch.bincount(batch.values[batch.layout.askable & (batch.layout.kind == kind)], minlength=num_tokens)
    return (counts / counts.sum()).log()


def _add(
    sums: dict[str, Tensor],
    model: Model[Layout],
    batch: Batch[Layout],
    order: Order,
    shares: dict[str, Tensor],
    end_id: int,
) -> None:
    """Add one pass to the sums, float64 ``[5]`` each: tokens, right, right by frequency, NLL, NLL by frequency."""
    logits = ask(model, batch, order)
    truth, kinds = batch.values[order.targets], batch.layout.kind[order.targets]
    right = (logits.argmax(dim=-1) == truth).double()
    nll = functional.cross_entropy(logits, truth, reduction="none").double()
    for name, kind in SCORED_KINDS.items():
        baseline = shares[name]
        columns = [torch.ones_like(nll), right, (truth == int(baseline.argmax())).double(), nll, -baseline[truth]]
        of_kind, ends = kinds == kind, truth == end_id
        for label, chosen in ((name, of_kind & ~ends), (f"{name} ends", of_kind & ends)):
            if chosen.any():
                found = torch.stack([column[chosen].sum() for column in columns])
                sums[label] = sums.get(label, torch.zeros(5, dtype=torch.float64)) + found


def _score(sums: Tensor) -> TokenScore:
    count, right, frequent, nll, frequency_nll = sums.tolist()
    accuracy, most_frequent = (Proportion(int(number), int(count)) for number in (right, frequent))
    return TokenScore(accuracy, most_frequent, nll / count, frequency_nll / count)
