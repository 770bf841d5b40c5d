"""The findings of an evaluation of any environment, as tables for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.table import Table

from anyorder.evaluation.calibration import NUM_BINS
from anyorder.evaluation.field_acting import FieldRobustness, PlayedScore
from anyorder.evaluation.field_goal_reaching import FieldGoalScore
from anyorder.evaluation.field_scores import CategoryScore, FieldScore, FieldScores, NumberScore
from anyorder.evaluation.robustness import FORMS
from anyorder.evaluation.statistics import Measured
from anyorder.inference.bin_answers import NEAR_TRUTH
from anyorder.terminal import titled_table

AskedRows = Iterator[tuple[str, str, FieldScore]]
CHANGED = ", changed"
"""After a name: only values that are not those of the step before."""
MOST_ROWS = 16
"""Of a mode; where there are more fields, groups and what they make up are shown, not each field."""


def number_error_table(modes: Mapping[str, FieldScores]) -> Table:
    """Errors of rebuilt real numbers beside the baselines, in standard deviations."""
    others = ("marginal", "copy", "line")
    columns = ("count", "RMS: model", *others, "absolute: model", *others, f"within {NEAR_TRUTH}")
    table = titled_table("Errors of hidden numbers, in standard deviations", "mode", "of", *columns, right=columns)
    for mode, name, score in _numbers(table, modes):
        errors = (score.root_mean_square, score.absolute)
        cells = [of[guesser].words() if guesser == "model" else _value(of[guesser]) for of in errors for guesser in of]
        table.add_row(mode, name, f"{score.count:,}", *cells, _percent(score.near["model"]) if score.near else "")
    return table


def number_nats_table(modes: Mapping[str, FieldScores]) -> Table:
    """Negative log densities of rebuilt real numbers, and whether the model's intervals hold what they promise."""
    columns = ("count", "model", "marginal", "copy", "line", "in 50% interval", "in 90% interval", "quantile error")
    title = "Hidden numbers: nats of the density per standard deviation, and calibration"
    table = titled_table(title, "mode", "of", *columns, right=columns)
    for mode, name, score in _numbers(table, modes):
        nats = [one.words() if guesser == "model" else _value(one) for guesser, one in score.nats.items()]
        held = _percent(score.coverage_50), _percent(score.coverage_90), f"{score.quantile_error:.1%}"
        table.add_row(mode, name, f"{score.count:,}", *nats, *held)
    return table


def category_table(modes: Mapping[str, FieldScores]) -> Table:
    """Accuracy and nats of rebuilt categories beside the baselines."""
    columns = ("count", "model", "most frequent", "copy", "nats: model", "shares", "copy")
    table = titled_table("Hidden categories: accuracy and nats, with 95% intervals", "mode", "of", *columns, right=columns)
    for mode, name, score in _categories(table, modes):
        shares = [_percent(one) for one in score.accuracy.values()]
        nats = [one.words() if guesser == "model" else _value(one) for guesser, one in score.nats.items()]
        table.add_row(mode, name, f"{score.count:,}", *shares, *nats)
    return table


def _numbers(table: Table, modes: Mapping[str, FieldScores]) -> Iterator[tuple[str, str, NumberScore]]:
    yield from ((mode, name, one.numbers) for mode, name, one in _asked(table, modes) if one.numbers)


def _categories(table: Table, modes: Mapping[str, FieldScores]) -> Iterator[tuple[str, str, CategoryScore]]:
    yield from ((mode, name, one.categories) for mode, name, one in _asked(table, modes) if one.categories)


def _asked(table: Table, modes: Mapping[str, FieldScores]) -> AskedRows:
    """Mode, name and score, with a line in the table after each mode."""
    for mode, scores in modes.items():
        for name in names_shown(scores):
            yield mode, name, scores.fields[name]
            if name in scores.changed and scores.changed[name].count < scores.fields[name].count:
                yield mode, name + CHANGED, scores.changed[name]
        table.add_section()


def names_shown(scores: FieldScores) -> list[str]:
    """The fields and groups that tables and figures show: all, or only those that are not part of another one."""
    if len(scores.fields) <= MOST_ROWS:
        return list(scores.fields)
    return [name for name in scores.fields if name not in scores.parts]


def field_calibration_table(modes: Mapping[str, FieldScores]) -> Table:
    """Whether the model is right as often as it says, over all hidden categories of a mode."""
    columns = ("elements", "mean confidence", "accuracy", "expected calibration error")
    table = titled_table(f"Calibration of categories, {NUM_BINS} bins of equal width", "mode", *columns, right=columns)
    for mode, scores in modes.items():
        if (found := scores.calibration) is not None:
            shares = found.mean_confidence, found.accuracy, found.expected_calibration_error
            table.add_row(mode, f"{found.count:,}", *(f"{share:.2%}" for share in shares))
    return table


def played_table(rows: Mapping[str, PlayedScore]) -> Table:
    """Episodes of the agent beside the demonstrations."""
    table = titled_table("Episodes, with 95% intervals", "who", "seeds", "episodes", right=("episodes",))
    normalised = any(one.normalised for one in rows.values())
    for column in ("return", *(["normalised return"] if normalised else []), "success", "actions"):
        table.add_column(column, justify="right")
    for name, one in rows.items():
        returns = [one.mean_return.words("{:,.2f}".format)]
        if normalised:
            returns.append(one.normalised.words("{:.1f}".format) if one.normalised else "")
        success = "no word of it" if one.success is None else str(one.success)
        seeds = f"{one.seeds[0]:,} to {one.seeds[1]:,}"
        table.add_row(name, seeds, f"{one.num_episodes:,}", *returns, success, one.mean_length.words("{:.1f}".format))
    return table


def field_goal_table(score: FieldGoalScore) -> Table:
    """Reaching an expert's last observation."""
    columns = ("goals", "success", "nearest, deviations", "actions", "expert's actions")
    table = titled_table("Goals reached, the wish untold, with 95% intervals", *columns, right=columns)
    success = "no word of it" if score.success is None else str(score.success)
    nearest = "" if score.nearest is None else score.nearest.words()
    lengths = score.mean_length.words("{:.1f}".format), score.expert_length.words("{:.1f}".format)
    table.add_row(f"{score.num_goals:,}", success, nearest, *lengths)
    return table


def field_robustness_table(scores: Sequence[FieldRobustness]) -> Table:
    """Return and success with and without corruption, on the same seeds."""
    columns = ("strength", "clean return", "corrupted", "difference", "clean success", "corrupted", "p (McNemar)")
    title = "Corrupted observations, same seeds, with 95% intervals"
    table = titled_table(title, "corruption", "agent", *columns, right=columns)
    for one in scores:
        returns = [_return(one.clean.mean_return), _return(one.corrupted.mean_return), _return(one.difference)]
        success = ["" if arm.success is None else str(arm.success) for arm in (one.clean, one.corrupted)]
        p_value = "" if one.p_value is None else f"{one.p_value:.3f}"
        strength = f"{one.strength:g}" + (" deviations" if one.kind == "sensor_noise" else "")
        table.add_row(one.kind.replace("_", " "), FORMS[one.form].words, strength, *returns, *success, p_value)
    return table


def _return(found: Measured) -> str:
    return found.words("{:,.2f}".format)


def _value(found: Measured) -> str:
    return f"{found.value:.3f}"


def _percent(found: Measured) -> str:
    low, high = found.low, found.high
    return f"{found.value:.1%}" + ("" if low is None or high is None else f" [{100 * low:.1f}, {100 * high:.1f}]")
