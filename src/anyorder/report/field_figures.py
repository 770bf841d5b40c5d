"""Plots about a run on data of any environment: errors beside baselines, calibration, corrupted observations, trajectories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from matplotlib.figure import Figure

from anyorder.elements.fields import EncodedFieldData
from anyorder.evaluation.field_acting import FieldRobustness
from anyorder.evaluation.field_scores import LEVELS, FieldScores, NumberScore
from anyorder.evaluation.field_tables import names_shown
from anyorder.evaluation.statistics import Measured
from anyorder.masking.strategies import Strategy, answerable
from anyorder.models.element.element_transformer import ElementTransformer
from anyorder.pictures.field_plot import SeriesColors, series_figure
from anyorder.pictures.field_series import field_series
from anyorder.pictures.names import in_plot
from anyorder.report.figures import INK, LINE, SERIES, figure_html, legend_above, new_figure
from anyorder.seeding import stream
from anyorder.types import FieldTrajectory

BASELINE_MARKS = (("line", "v", SERIES[3]), ("copy", "D", SERIES[2]), ("marginal", "s", SERIES[1]))
PAGE_COLORS = SeriesColors(truth=INK, model=SERIES[0], wrong=SERIES[1], hidden=LINE)


def error_figures(modes: Mapping[str, FieldScores], salt: str) -> list[str]:
    """One figure per mode with real numbers: the model's error with its 95% interval, beside the baselines."""
    figures = []
    for mode, scores in modes.items():
        numbers = {name: score for name in names_shown(scores) if (score := scores.fields[name].numbers)}
        if numbers:
            caption = f"Error (RMS), standard deviations: {mode.replace('_', ' ')}{salt}"
            figures.append(figure_html(partial(_errors, numbers), caption))
    return figures


def _errors(numbers: Mapping[str, NumberScore]) -> Figure:
    figure, axes = new_figure(height=1.05 + 0.34 * len(numbers))
    places = list(range(len(numbers)))
    for guesser, marker, color in BASELINE_MARKS:
        values = [score.root_mean_square[guesser].value for score in numbers.values()]
        axes.plot(values, places, marker, color=color, markersize=5, label=guesser, markerfacecolor="none")
    model = [score.root_mean_square["model"] for score in numbers.values()]
    axes.errorbar(
        [one.value for one in model], places, xerr=_reach(model), fmt="o", color=SERIES[0], markersize=6, label="model, 95%"
    )
    axes.set(yticks=places, yticklabels=[in_plot(name) for name in numbers], ylim=(len(numbers) - 0.5, -0.5))
    axes.set_xlim(left=-0.03 * axes.get_xlim()[1])
    axes.grid(False, axis="x")
    legend_above(figure, axes, 4)
    return figure


def quantile_figures(modes: Mapping[str, FieldScores], salt: str) -> list[str]:
    """How often the truth lies below the model's quantiles, over all numbers of each mode; [] where there are none."""
    below = {}
    for mode, scores in modes.items():
        of_numbers = [score.numbers for score in scores.fields.values() if score.numbers]
        if of_numbers:
            below[mode] = max(of_numbers, key=lambda score: score.count).below
    return [figure_html(partial(_quantiles, below), f"Truth below the model's quantile, %{salt}")] if below else []


def _quantiles(below: Mapping[str, Sequence[float]]) -> Figure:
    figure, axes = new_figure()
    levels = [100 * level for level in LEVELS]
    axes.plot([0, 100], [0, 100], "--", color=INK, linewidth=1, label="calibrated")
    for color, (mode, shares) in zip(SERIES, below.items()):
        axes.plot(levels, [100 * share for share in shares], "-", color=color, label=mode.replace("_", " "))
    axes.set(xlabel="level of the quantile, %", xlim=(0, 100), ylim=(0, 100))
    legend_above(figure, axes, 2)
    return figure


def return_figures(scores: Sequence[FieldRobustness], salt: str) -> list[str]:
    """One figure per kind of corruption: the return against its strength."""
    kinds = dict.fromkeys(score.kind for score in scores)
    return [
        figure_html(
            partial(_returns, [score for score in scores if score.kind == kind]), f"Return: {kind.replace('_', ' ')}{salt}"
        )
        for kind in kinds
    ]


def _returns(scores: Sequence[FieldRobustness]) -> Figure:
    figure, axes = new_figure()
    arm = sorted(scores, key=lambda score: score.strength)
    found = [arm[0].clean.mean_return, *(score.corrupted.mean_return for score in arm)]
    strengths = [0.0, *(score.strength for score in arm)]
    values = [one.value for one in found]
    axes.errorbar(strengths, values, yerr=_reach(found), fmt="o-", color=SERIES[0], markersize=4, capsize=2, elinewidth=1)
    axes.set(xlabel="strength" + (", standard deviations" if arm[0].kind == "sensor_noise" else ", share lost"))
    return figure


def _reach(found: Sequence[Measured]) -> list[list[float]]:
    """How far each interval reaches down and up."""
    low = [0.0 if one.low is None else max(0.0, one.value - one.low) for one in found]
    high = [0.0 if one.high is None else max(0.0, one.high - one.value) for one in found]
    return [low, high]


def trajectory_figures(
    model: ElementTransformer,
    trajectories: Sequence[FieldTrajectory],
    strategy: Strategy,
    seed: int,
    salt: str,
) -> list[str]:
    """One figure per trajectory, of its first frames: the truth, what a strategy hides, the model's answers.

    Args:
        model: in evaluation mode.
        trajectories: those that are shown.
        strategy: what is hidden; all targets have equal ranks.
        seed: of the random choice.
        salt: end of each caption; it must differ between calls for the same page.
    """
    figures = []
    for trajectory in trajectories:
        batch = EncodedFieldData([trajectory], model.spec, model.max_frames).batch([0])
        if not answerable(strategy, batch.layout).all():
            continue
        order = strategy(batch.layout, stream(seed, "report", trajectory.seed))
        series = field_series(model, batch, order)
        mission = f"{trajectory.mission} · " if trajectory.mission else ""
        shown = batch.layout.frame_shape.num_frames
        caption = f"{mission}seed {trajectory.seed:,}, steps 0 to {shown - 1} of {len(trajectory):,}{salt}"
        figures.append(figure_html(partial(series_figure, series, PAGE_COLORS), caption))
    return figures
