"""A model's answers about fields for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from anyorder.inference.field_answers import FieldAnswer
from anyorder.terminal import titled_table

MOST_ANSWERS = 60


def field_answer_table(answers: Sequence[FieldAnswer]) -> Table:
    """Answers with probabilities or 90% intervals, beside the truth; the first ones where there are many."""
    more = f", {MOST_ANSWERS} of {len(answers):,}" if len(answers) > MOST_ANSWERS else ""
    right = sum(one.right for one in answers)
    title = f"Answers{more}; {right:,} of {len(answers):,} right (numbers: in the 90% interval, or in the true bin)"
    numbers = ("step", "answer", "90% interval", "probability", "truth")
    table = titled_table(title, "step", "of", "answer", "90% interval", "probability", "truth", "", right=numbers)
    for one in answers[:MOST_ANSWERS]:
        interval = "" if one.low is None or one.high is None else f"{one.low:.4g} to {one.high:.4g}"
        probability = "" if interval else f"{one.probability:.1%}"
        mark = "✓" if one.right else "✗"
        table.add_row(str(one.step), one.field, _shown(one.answer), interval, probability, _shown(one.truth), mark)
    return table


def _shown(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.4g}"
