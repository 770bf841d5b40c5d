"""Robustness, as a table for people."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from anyorder.evaluation.robustness import FORMS, RobustnessScore

COLUMNS = ("corruption", "strength", "the agent is", "clean", "corrupted", "kept", "won / lost", "p")


def robustness_table(scores: Sequence[RobustnessScore]) -> Table:
    """Success under corruption, beside the clean arm on the same seeds."""
    table = Table(title="Success under corruption, same seeds; p: exact McNemar test", title_justify="left")
    for column in COLUMNS:
        table.add_column(column)
    for score in scores:
        kept = "none to keep" if score.share_kept is None else f"{score.share_kept:.1%}"
        table.add_row(
            score.kind.replace("_", " "),
            f"{score.strength:g}",
            FORMS[score.form].words,
            str(score.clean),
            str(score.corrupted),
            kept,
            f"{score.won} / {score.lost}",
            f"{score.p_value:.2g}",
        )
    return table
