"""The findings of an evaluation, as tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table

from anyorder.evaluation.calibration import NUM_BINS
from anyorder.evaluation.goal_reaching import GoalScore
from anyorder.evaluation.likelihood import GroupScore, Scores
from anyorder.evaluation.mission_scores import MissionScore
from anyorder.evaluation.more_shown import ShownScore
from anyorder.evaluation.outcomes import FailedEpisode, count_failures
from anyorder.evaluation.robustness import FORMS, RobustnessScore
from anyorder.evaluation.statistics import Proportion
from anyorder.terminal import titled_table


def accuracy_table(modes: Mapping[str, Scores]) -> Table:
    """Accuracy over hidden elements beside both baselines, by mode and group; where an oracle knows it, how many of them can be
    known, and accuracy on those."""
    table = titled_table("Accuracy over what was hidden, with 95% intervals", "mode", "group", "count")
    judged = any(group.knowable for scores in modes.values() for group in scores.groups.values())
    oracle = ("knowable", "right of the knowable") if judged else ()
    for column in ("model", "most frequent value", "copy of last visible", *oracle):
        table.add_column(column, justify="right")
    for mode, scores in modes.items():
        for name, group in scores.groups.items():
            shares = [str(share) for share in (group.accuracy, group.most_frequent, group.copy_last)]
            known = [str(share or "") for share in (group.knowable, group.right_of_knowable)] if judged else []
            table.add_row(mode, name, f"{group.accuracy.count:,}", *shares, *known)
        table.add_section()
    return table


def nll_table(modes: Mapping[str, Scores]) -> Table:
    """NLL per hidden element in nats beside both baselines, by mode and group."""
    table = titled_table("NLL per hidden element, nats", "mode", "group", "elements")
    for column in ("model", "shares in training", "copy of last visible"):
        table.add_column(column, justify="right")
    for mode, scores in modes.items():
        for name, group in scores.groups.items():
            table.add_row(mode, name, f"{group.num_elements:,}", *_nlls(group))
        table.add_section()
    return table


def position_table(modes: Mapping[str, Scores]) -> Table:
    """Accuracy over hidden cells and NLL per hidden element, by mode, group and step of the episode."""
    table = titled_table("By position in the episode", "mode", "group", "steps", "count")
    for column in ("accuracy", "most frequent value", "copy of last visible", "NLL, nats", "shares", "copy"):
        table.add_column(column, justify="right")
    for mode, scores in modes.items():
        for name, positions in scores.positions.items():
            for steps, group in positions.items():
                shares = str(group.accuracy), f"{group.most_frequent.rate:.1%}", f"{group.copy_last.rate:.1%}"
                table.add_row(mode, name, steps, f"{group.accuracy.count:,}", *shares, *_nlls(group))
        table.add_section()
    return table


def calibration_table(modes: Mapping[str, Scores]) -> Table:
    """Whether the model is right as often as it says, over all hidden elements of a mode."""
    columns = ("mode", "elements", "mean confidence", "accuracy", "expected calibration error")
    table = titled_table(f"Calibration, {NUM_BINS} bins of equal width", *columns)
    for mode, scores in modes.items():
        found = scores.calibration
        shares = found.mean_confidence, found.accuracy, found.expected_calibration_error
        table.add_row(mode, f"{found.count:,}", *(f"{share:.2%}" for share in shares))
    return table


def _nlls(group: GroupScore) -> list[str]:
    nlls = group.nll_per_element, group.most_frequent_nll_per_element, group.copy_last_nll_per_element
    return [f"{nll:.4f}" for nll in nlls]


def task_table(
    success: Proportion, mean_reward: float, mean_length: float, seeds: tuple[int, int], bot_length: float | None
) -> Table:
    """Success in the environment, and how long it takes; the bot's length where it is known."""
    table = titled_table("Episodes played", "episodes", "seeds", "success", "mean reward", "mean length", "the bot's length")
    first, last = seeds
    lengths = f"{mean_length:.1f}", "" if bot_length is None else f"{bot_length:.1f}"
    table.add_row(f"{success.count:,}", f"{first:,} to {last:,}", str(success), f"{mean_reward:.3f}", *lengths)
    return table


def goal_table(score: GoalScore) -> Table:
    """Reaching an expert's last observation."""
    columns = ("goals", "success", "goal's view seen", "mean length", "expert's length")
    table = titled_table("Goals reached, mission untold", *columns)
    lengths = f"{score.mean_length:.1f}", f"{score.expert_length:.1f}"
    table.add_row(f"{score.success.count:,}", str(score.success), str(score.seen), *lengths)
    return table


def shown_table(scores: Sequence[ShownScore]) -> Table:
    """The same questions from more and more context."""
    columns = ("shown of the rest", "nats per hidden element", "gained by showing more", "")
    table = titled_table(
        f"The same {scores[0].count:,} hidden elements, from more and more of the rest", *columns, right=columns
    )
    for score in scores:
        gain = "" if score.gain is None else score.gain.words()
        table.add_row(f"{score.shown:.0%}", score.nats.words(), gain, "harms" if score.harms else "")
    return table


def mission_table(score: MissionScore) -> Table:
    """Which instruction an episode followed."""
    table = titled_table(
        f"Which of {score.num_missions:,} instructions an episode followed, of {score.first.count:,} episodes with success",
        "the most probable one is the true one",
        "it fits the episode",
        "the true one is among as many as fit",
        "instructions that fit, mean",
        "probability of the true one, mean",
        "chance",
    )
    shares = map(str, (score.first, score.first_fits, score.among_fitting))
    table.add_row(*shares, f"{score.mean_fitting:.1f}", f"{score.mean_probability:.1%}", f"{score.chance:.1%}")
    return table


def failure_table(failed: Sequence[FailedEpisode]) -> Table:
    """The episodes that the environment broke off, by arm."""
    columns = ("played", "failed", "most frequent reason")
    table = titled_table("Episodes that failed in the environment, counted as no success", *columns)
    for arm, number, reason in count_failures(failed):
        table.add_row(arm, f"{number:,}", reason)
    return table


def robustness_table(scores: Sequence[RobustnessScore]) -> Table:
    """Success under corruption, beside the clean arm on the same seeds."""
    title = "Success under corruption, same seeds; p: exact McNemar test"
    table = titled_table(title, *ROBUSTNESS_COLUMNS)
    for score in scores:
        table.add_row(*robustness_cells(score))
    return table


ROBUSTNESS_COLUMNS = ("corruption", "strength", "the agent is", "clean", "corrupted", "kept", "won / lost", "p")


def robustness_cells(score: RobustnessScore) -> list[str]:
    """A row of `robustness_table`."""
    return [
        score.kind.replace("_", " "),
        f"{score.strength:g}",
        FORMS[score.form].words,
        str(score.clean),
        str(score.corrupted),
        "none to keep" if score.share_kept is None else f"{score.share_kept:.1%}",
        f"{score.won} / {score.lost}",
        f"{score.p_value:.2g}",
    ]
