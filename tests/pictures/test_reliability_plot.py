"""The diagram shows the bins."""

import pytest
import torch
from PIL import Image

from anyorder.evaluation.calibration import ConfidenceSums
from anyorder.pictures.reliability_plot import reliability_figure, write_reliability


@pytest.fixture(scope="module")
def calibrations():
    sums = ConfidenceSums()
    sums.add(torch.tensor([0.95, 0.97, 0.5, 0.52]), torch.tensor([True, False, False, True]))
    return {name: sums.calibration() for name in ("forward", "filtering", "next_action")}


def test_one_panel_per_mode_with_points_and_counts(calibrations):
    axes = reliability_figure(calibrations).axes
    assert [a.get_title() for a in axes[::2]] == ["forward", "filtering", "next action"]
    for upper, lower in zip(axes[::2], axes[1::2]):
        points = upper.containers[0].lines[0]
        assert points.get_xdata() == pytest.approx([0.51, 0.96]) and points.get_ydata() == pytest.approx([0.5, 0.5])
        assert [bar.get_height() for bar in lower.patches] == [0] * 7 + [2] + [0] * 6 + [2]
        assert any("23.50%" in text.get_text() for text in upper.texts)


def test_both_files_are_written_and_the_same_each_time(calibrations, tmp_path):
    for folder in ("a", "b"):
        write_reliability(tmp_path / folder, calibrations)
    assert Image.open(tmp_path / "a" / "reliability.png").size[0] > 1000
    svg = (tmp_path / "a" / "reliability.svg").read_text()
    assert "next action" in svg and "calibration error 23.50%" in svg
    assert svg == (tmp_path / "b" / "reliability.svg").read_text()
