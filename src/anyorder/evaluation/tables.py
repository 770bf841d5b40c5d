"""The findings of an evaluation, as tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table

from anyorder.evaluation.goal_reaching import GoalScore
from anyorder.evaluation.likelihood import Scores
from anyorder.evaluation.robustness import RobustnessScore
from anyorder.evaluation.statistics import Proportion


def accuracy_table(modes: Mapping[str, Scores]) -> Table:
    """Accuracy over hidden elements beside both baselines, by mode and group."""
    table = _table("Accuracy over what was hidden, with 95% intervals", "mode", "group", "count")
    for column in ("model", "most frequent value", "copy of last visible"):
        table.add_column(column, justify="right")
    for mode, scores in modes.items():
        for name, group in scores.groups.items():
            shares = [str(share) for share in (group.accuracy, group.most_frequent, group.copy_last)]
            table.add_row(mode, name, f"{group.accuracy.count:,}", *shares)
        table.add_section()
    return table


def nll_table(modes: Mapping[str, Scores]) -> Table:
    """NLL per hidden element in nats, beside the values' shares in the training split, by mode and group."""
    table = _table("NLL per hidden element, nats", "mode", "group", "elements")
    for column in ("model", "shares in training"):
        table.add_column(column, justify="right")
    for mode, scores in modes.items():
        for name, group in scores.groups.items():
            nlls = [f"{nll:.4f}" for nll in (group.nll_per_element, group.most_frequent_nll_per_element)]
            table.add_row(mode, name, f"{group.num_elements:,}", *nlls)
        table.add_section()
    return table


def task_table(success: Proportion, mean_reward: float, mean_length: float, seeds: tuple[int, int]) -> Table:
    """Success in the environment."""
    table = _table("Episodes played", "episodes", "seeds", "success", "mean reward", "mean length")
    first, last = seeds
    table.add_row(
        f"{success.count:,}", f"{first:,} to {last:,}", str(success), f"{mean_reward:.3f}", f"{mean_length:.1f}"
    )
    return table


def robustness_table(scores: Sequence[RobustnessScore]) -> Table:
    """Success with hidden cells, beside the clean arm on the same seeds."""
    table = _table("Success with hidden cells, same seeds", "hidden", "the agent is", "clean", "occluded", "kept")
    for score in scores:
        told = "told which" if score.declared else "not told"
        kept = "none to keep" if score.share_kept is None else f"{score.share_kept:.1%}"
        table.add_row(f"{score.rate:.0%}", told, str(score.clean), str(score.occluded), kept)
    return table


def goal_table(score: GoalScore) -> Table:
    """Reaching an expert's last observation."""
    columns = ("goals", "success", "goal's view seen", "mean length", "expert's length")
    table = _table("Goals reached, mission untold", *columns)
    lengths = f"{score.mean_length:.1f}", f"{score.expert_length:.1f}"
    table.add_row(f"{score.success.count:,}", str(score.success), str(score.seen), *lengths)
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column)
    return table
