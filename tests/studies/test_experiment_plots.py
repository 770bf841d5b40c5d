"""Plots show the numbers that runs stored, legibly."""

import json

import numpy as np
import pytest
from outcomes import make_study, outcome, runs_of, share
from PIL import Image

from anyorder.studies.plotted import plotted
from anyorder.studies.summary.experiment_plots import (
    attributes_figure,
    curves_figure,
    rates_figure,
    robustness_figure,
    write_experiment_plots,
)
from anyorder.studies.summary.print_style import PRINT_COLORS, bar, line

LABELS = ["low", "middle", "high"]
RIGHT = {"low": 60, "middle": 70, "high": 80}
WON = {"low": (10, 12), "middle": (14, 14), "high": (8, 18)}


def corrupted(strength, successes):
    return {
        "kind": "occlusion",
        "strength": strength,
        "form": "told",
        "clean": share(16, 20),
        "corrupted": share(successes, 20),
    }


@pytest.fixture
def study(tmp_path):
    return make_study(tmp_path)


@pytest.fixture
def entries(study):
    """Two seeds per arm, of 20 episodes."""
    found = []
    for label in LABELS:
        outcomes = []
        for run, won in zip(runs_of(study, "Red", label), WON[label], strict=True):
            run.folder.mkdir(parents=True)
            records = [
                {"update": update, "section": section, "loss": loss * (1 + run.seed)} | ({"success": 0.5} if played else {})
                for update, section, loss, played in [
                    (5, "train", 2.0, 0),
                    (5, "validation", 1.5, 1),
                    (10, "train", 1.0, 0),
                    (10, "validation", 0.75, 1),
                ]
            ]
            (run.folder / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
            episodes = {"": [number < won for number in range(20)]}
            groups = {"object": (RIGHT[label], 50, 100), "action": (40, 30, 50)}
            outcomes.append(outcome(run, episodes, groups, [corrupted(0.2, 12), corrupted(0.5, 4 + run.seed)]))
        found.append((label, outcomes))
    return found


@pytest.fixture
def data(entries):
    return plotted(entries)


def series(axes, label):
    """Where the points of what the legend calls so lie."""
    handle = dict(zip(*reversed(axes.get_legend_handles_labels())))[label]
    return (handle[0] if isinstance(handle, tuple) else handle).get_xydata()


def test_curves_are_the_means_over_the_seeds(data):
    figure = curves_figure(LABELS, data["curves"])
    training, validation, success = figure.axes
    assert [axes.get_title() for axes in figure.axes] == ["training loss", "validation loss", "success"]
    # Seed 1 has twice the loss of seed 0.
    assert np.allclose(series(training, "middle"), [[5, 3.0], [10, 1.5]])
    drawn = [drawn.get_xydata().tolist() for drawn in validation.lines if drawn.get_linewidth() > 1]
    assert drawn == [[[5, 2.25], [10, 1.125]]] * 3 and len(validation.lines) == 3 * (1 + 2), "and each seed, thin"
    assert success.get_ylim() == (-0.02, 1.02) and training.get_yscale() == "log"


@pytest.mark.parametrize(("low", "high"), [(1.7, 1.9), (0.95, 2.1), (0.02, 4.0)])
def test_losses_have_legible_ticks(low, high):
    curve = {"label": "a", "seed": 0, "curve": "training loss", "updates": [1, 2], "values": [high, low]}
    figure = curves_figure(["a"], [curve])
    figure.draw_without_rendering()
    (axes,) = figure.axes
    bottom, top = axes.get_ylim()
    shown = [tick for tick in axes.get_yticks() if bottom <= tick <= top]
    assert 3 <= len(shown) <= 14


def test_rates_are_in_order_with_every_seed(data):
    assert [(p["label"], p["rate"]) for p in data["rates"]] == [("low", 0.15), ("middle", 0.3), ("high", 0.5)]
    figure = rates_figure(LABELS, list(reversed(data["rates"])))
    (axes,) = figure.axes
    assert np.allclose(series(axes, "pooled, 95%"), [[0.15, 22 / 40], [0.3, 28 / 40], [0.5, 26 / 40]])
    crosses = [drawn.get_ydata().tolist() for drawn in axes.lines if drawn.get_marker() == "x"]
    assert crosses == [[0.5, 0.6], [0.7, 0.7], [0.4, 0.9]]


def test_rates_are_drawn_only_where_nothing_else_differs(study, entries):
    scheduled = [outcome(run, {"": [True]}) for run in runs_of(study, "Red", "schedule")]
    assert plotted([entries[0], ("schedule", scheduled)])["rates"] == []
    assert plotted(entries[:1])["rates"] == []


def test_bars_stand_beside_what_guessing_reaches(data):
    figure = attributes_figure(LABELS, data["attributes"])
    (axes,) = figure.axes
    heights = [[bar.get_height() for bar in container] for container in axes.containers if hasattr(container, "patches")]
    assert np.allclose(heights, [[0.6, 0.8], [0.7, 0.8], [0.8, 0.8]])
    assert [text.get_text() for text in axes.get_xticklabels()] == ["object", "action"]
    bases = [segment[0, 1] for lines in axes.collections for segment in lines.get_segments() if segment[0, 1] == segment[1, 1]]
    assert np.allclose(bases, [0.5, 0.6] * 3), "the most frequent value's"
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.texts] == [*LABELS, "most frequent value"]


def test_robustness_begins_clean(data):
    figure = robustness_figure(LABELS, data["robustness"])
    (axes,) = figure.axes
    assert axes.get_title() == "occlusion, told"
    middle = series(axes, "middle")
    assert np.allclose(middle, [[0, 32 / 40], [0.2, 24 / 40], [0.5, 9 / 40]])
    assert 0 < middle[0, 0] - series(axes, "low")[0, 0] < 0.02, "side by side, or they would hide each other"


def test_every_plot_is_there_for_screen_and_print_and_always_the_same(data, tmp_path):
    experiment = {"title": "Rate", "where": "Red", "rows": [{"label": label} for label in LABELS], "plotted": data}
    written = write_experiment_plots(tmp_path / "a", experiment)
    again = write_experiment_plots(tmp_path / "b", experiment)
    assert [path.name for path in written.values()] == [
        f"rate_red_{name}.png" for name in ("curves", "rates", "attributes", "robustness")
    ]
    for png, other in zip(written.values(), again.values()):
        svg = png.with_suffix(".svg")
        assert svg.read_bytes() == other.with_suffix(".svg").read_bytes() and b"</text>" in svg.read_bytes()
        picture = Image.open(png)
        assert min(picture.size) >= 500 and len(picture.convert("RGB").getcolors(2**24)) > 20
    nothing = write_experiment_plots(tmp_path / "c", experiment | {"plotted": {name: [] for name in data}})
    assert nothing == {} and not (tmp_path / "c").exists()


def test_no_two_arms_look_alike_even_without_color():
    looks = [line(number) for number in range(len(PRINT_COLORS))]
    assert len({look["color"] for look in looks}) == len({str(look["linestyle"]) for look in looks}) == len(PRINT_COLORS)
    assert (
        len({look["marker"] for look in looks}) == len({bar(n)["hatch"] for n in range(len(PRINT_COLORS))}) == len(PRINT_COLORS)
    )
