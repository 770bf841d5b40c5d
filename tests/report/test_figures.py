"""Plots inside a page: they show the figures given, in the page's colors, and no name breaks them."""

import re
from html.parser import HTMLParser

import pytest

from anyorder.evaluation.calibration import Bin, Calibration
from anyorder.evaluation.likelihood import GroupScore, Scores
from anyorder.evaluation.robustness import RobustnessScore
from anyorder.evaluation.statistics import Proportion
from anyorder.pages.page import asset
from anyorder.report.figures import accuracy_figures, curve_figures, reliability_figures, robustness_figures

RECORDS = [
    {"update": 10, "section": "train", "loss": 2.0},
    {"update": 20, "section": "train", "loss": 1.5},
    {"update": 20, "section": "validation", "loss": 1.7, "action_accuracy": 0.5},
]
GROUP = GroupScore(Proportion(9, 10), Proportion(5, 10), Proportion(2, 10), 30, 0.1, 0.2, 0.3)
BINS = [Bin(0.0, 0.5, 0, None, None), Bin(0.5, 1.0, 10, 0.8, 0.9)]
CALIBRATION = Calibration(0.1, 10, 0.8, 0.9, BINS)
SCORES = Scores(3, 0.3, {"cell": GROUP, "object_cell": GROUP, "object": GROUP}, {}, CALIBRATION)
ROBUST = [
    RobustnessScore(
        "dropped_frames",
        strength,
        form,
        (30_000_000, 30_000_009),
        Proportion(9, 10),
        Proportion(won, 10),
        won / 9,
        0,
        9 - won,
        0.5,
    )
    for strength, won in ((0.3, 4), (0.1, 8))
    for form in ("untold", "told")
]


class Ids(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found += [value for name, value in attributes if name == "id"]


def everything():
    runs = {"one": RECORDS, "two": RECORDS}
    return [
        *curve_figures({"one": RECORDS}, " of one"),
        *curve_figures(runs),
        *accuracy_figures({"forward": SCORES}, ""),
        *robustness_figures(ROBUST, ""),
        *reliability_figures({"forward": CALIBRATION}, ""),
    ]


def test_every_color_is_the_pages():
    text, style = "".join(everything()), asset("style.css")
    names = set(re.findall(r"var\((--[\w-]+)\)", text))
    assert {"--series-1", "--series-2", "--line", "--sans"} <= names
    assert [name for name in names if f"{name}:" not in style] == []
    assert set(re.findall(r"#[0-9a-f]{6}\b", text)) <= {"#ffffff"}
    assert "DejaVu" not in text


def test_no_two_parts_of_a_page_have_the_same_name():
    ids = Ids("".join(everything())).found
    assert ids and len(ids) == len(set(ids))


def test_the_same_figures_make_the_same_text():
    assert everything() == everything()


def test_one_run_shows_training_and_validation_several_their_validation():
    alone, accuracy = curve_figures({"one": RECORDS})
    assert ">train<" in alone and ">validation<" in alone and "Loss, nats" in alone
    assert "Actions right on validation" in accuracy and len(curve_figures({"one": RECORDS[:2]})) == 1
    together, _ = curve_figures({"one": RECORDS, "two": RECORDS})
    assert ">train<" not in together and ">one<" in together and ">two<" in together
    assert curve_figures({"one": []}) == []


def test_no_name_is_a_formula_or_a_tag():
    loss = curve_figures({"_<b>$x^2$": RECORDS, "two": RECORDS}, " <i>")[0]
    assert "&lt;b&gt;$x^2$" in loss and "<b>" not in loss and "<i>" not in loss


def test_accuracy_stands_where_it_is():
    (drawing,) = accuracy_figures({"forward": SCORES}, "")
    assert "object cells" in drawing and "most frequent value" in drawing
    # Both rows have the same figures, so a series stands at the same place in both; its marker in the legend is alone.
    markers = re.findall(r'<use xlink:href="#\w+" x="([\d.]+)" y="[\d.]+" style="[^"]*var\(--series-(\d)\)', drawing)
    model, frequent, copy = (
        float(place) for series in "123" for place in {x for x, s in markers if markers.count((x, s)) == 2 and s == series}
    )
    assert (model - frequent) / (frequent - copy) == pytest.approx(40 / 30, rel=1e-3), "90, 50 and 20%"
    assert accuracy_figures({"next_action": Scores(3, 0.3, {"action": GROUP}, {}, CALIBRATION)}, "") == []


def test_one_plot_per_corruption_one_line_per_form():
    (drawing,) = robustness_figures(ROBUST, "")
    assert "dropped frames" in drawing and "not told" in drawing and "told what is unknown" in drawing
