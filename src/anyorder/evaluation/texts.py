"""What an evaluation on conversations found: accuracy and NLL of hidden tokens, episodes that were played, what was chosen."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from rich.table import Table

from anyorder.evaluation.findings import as_plain
from anyorder.evaluation.statistics import Proportion
from anyorder.evaluation.text_acting import ChoiceScore, TextTaskScore, acting_json, acting_tables
from anyorder.evaluation.text_robustness import TextRobustness, text_robustness_table
from anyorder.terminal import titled_table


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
        ngram, ngram_nll_per_token: the same of `anyorder.evaluation.text_ngrams`; None in older results, as all below.
        copy, copy_nll_per_token: the same of `anyorder.evaluation.text_copies`.
        knowable: share of the tokens that a baseline gets right, whichever.
        right_of_knowable: share of these that the model gets right; None also where there are none.
    """

    accuracy: Proportion
    most_frequent: Proportion
    nll_per_token: float
    frequency_nll_per_token: float
    ngram: Proportion | None = None
    ngram_nll_per_token: float | None = None
    copy: Proportion | None = None
    copy_nll_per_token: float | None = None
    knowable: Proportion | None = None
    right_of_knowable: Proportion | None = None

    def to_json(self) -> dict[str, Any]:
        """Every number with its counts and intervals; without what older results lack."""
        known = {name: value for name, value in vars(self).items() if value is not None}
        return {name: value.to_json() if isinstance(value, Proportion) else value for name, value in known.items()}


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
        robustness: one score per kind of corruption, strength and form.
    """

    env_id: str
    scores: dict[str, dict[str, TokenScore]]
    left_out: dict[str, int] = field(default_factory=dict)
    played: list[TextTaskScore] = field(default_factory=list)
    choices: list[ChoiceScore] = field(default_factory=list)
    robustness: list[TextRobustness] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Every number with its counts and intervals."""
        left_out = {"left_out": self.left_out} if self.left_out else {}
        acting = acting_json(self.played, self.choices) if self.played or self.choices else {}
        robustness = {"robustness": as_plain(self.robustness)} if self.robustness else {}
        return {"env_id": self.env_id, **left_out, **acting, **robustness} | {
            way: {name: score.to_json() for name, score in of_way.items()} for way, of_way in self.scores.items()
        }

    def tables(self, metrics: Collection[str] = ()) -> list[Table]:
        """All scores, whatever the metrics."""
        robustness = [text_robustness_table(self.robustness)] if self.robustness else []
        scores = [_accuracy_table(self.scores), _nll_table(self.scores)] if self.scores else []
        return [*acting_tables(self.played, self.choices), *robustness, *scores]


def _accuracy_table(scores: Mapping[str, Mapping[str, TokenScore]]) -> Table:
    numbers = ("tokens", "model", "most frequent token", "n-gram", "copy", "knowable", "right of the knowable")
    title = "Hidden tokens of the test split, with 95% intervals; knowable: a baseline is right"
    table = titled_table(title, "asked", "of", *numbers, right=numbers)
    for way, of_way in scores.items():
        for name, one in of_way.items():
            shares = one.accuracy, one.most_frequent, one.ngram, one.copy, one.knowable, one.right_of_knowable
            table.add_row(way, name, f"{one.accuracy.count:,}", *(str(share or "-") for share in shares))
        table.add_section()
    return table


def _nll_table(scores: Mapping[str, Mapping[str, TokenScore]]) -> Table:
    numbers = ("model", "shares in training", "n-gram", "copy")
    table = titled_table("NLL per hidden token, nats", "asked", "of", *numbers, right=numbers)
    for way, of_way in scores.items():
        for name, one in of_way.items():
            nlls = one.nll_per_token, one.frequency_nll_per_token, one.ngram_nll_per_token, one.copy_nll_per_token
            table.add_row(way, name, *("-" if nll is None else f"{nll:.3f}" for nll in nlls))
        table.add_section()
    return table
