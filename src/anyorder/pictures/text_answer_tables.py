"""A language model's answer about a conversation, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.table import Table

from anyorder.inference.futures import RankedSample
from anyorder.inference.text_answers import TextAnswer
from anyorder.pictures.answer_tables import MOST_SAMPLES, distribution_table, mark
from anyorder.terminal import titled_table


def text_answer_tables(answer: TextAnswer, choices: Mapping[str, float] | None = None) -> Iterator[Table]:
    """A table of the turns that were asked for; before it, where only one action was asked for and it is known what could be
    done, how probable each of these ``choices`` is."""
    if choices and len(answer.turns) == 1:
        (turn,) = answer.turns
        ranked = dict(sorted(choices.items(), key=lambda one: -one[1])[:MOST_SAMPLES])
        yield distribution_table(turn.part, turn.step, next(iter(ranked)), turn.truth, ranked)
    right = sum(turn.right for turn in answer.turns)
    title = f"Turns: {right} of {len(answer.turns)} right, word for word"
    numbers = ("step", "probability", "a token")
    table = titled_table(title, "step", "what", "answer", "probability", "a token", "truth", "", right=numbers)
    for turn in answer.turns:
        each = turn.probability ** (1 / turn.num_tokens)
        shares = f"{turn.probability:.1%}", f"{each:.1%}"
        table.add_row(str(turn.step), turn.part, turn.answer, *shares, turn.truth, mark(turn.right), end_section=True)
    yield table


def text_samples_table(samples: Sequence[RankedSample[TextAnswer]], truth: float | None = None) -> Table:
    """Samples, the most probable first, beside the log-likelihood of what was said where it is known."""
    beside = "" if truth is None else f" (what was said: {truth:.2f} nats)"
    numbers = ("rank", "nats", "drawn")
    table = titled_table(f"Samples by log-likelihood{beside}", "rank", "nats", "drawn", "answer", right=numbers)
    for rank, sample in enumerate(samples[:MOST_SAMPLES], start=1):
        words = "\n".join(f"{turn.part} {turn.step}: {turn.answer}" for turn in sample.answer.turns)
        table.add_row(str(rank), f"{sample.log_likelihood:.2f}", str(sample.num_drawn), words, end_section=True)
    return table
