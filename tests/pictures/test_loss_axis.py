"""Ticks of a logarithmic axis of losses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from anyorder.pictures.loss_axis import MOST_TICKS, loss_ticks, scale_losses


@pytest.mark.parametrize(
    ("limits", "ticks"),
    [
        ((0.31, 0.9), [0.4, 0.5, 0.6, 0.7, 0.8, 0.9]),
        ((0.2, 2.4), [0.2, 0.3, 0.5, 0.7, 1, 1.5, 2]),
        ((0.02, 4.1), [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2]),
        ((0.001, 9.0), [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3]),
        ((1e-5, 5.0), [1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1]),
    ],
)
def test_the_wider_the_range_the_rounder_the_numbers(limits, ticks):
    assert loss_ticks(*limits) == pytest.approx(ticks)


@given(low=st.floats(1e-12, 1e6), factor=st.floats(1.1, 1e9))
def test_there_are_some_ticks_and_not_too_many(low, factor):
    ticks = loss_ticks(low, low * factor)
    assert 1 <= len(ticks) <= MOST_TICKS and all(low <= tick <= low * factor for tick in ticks)


def test_the_axis_has_them():
    axes = Figure().subplots()
    axes.plot([0, 1], [0.05, 3.0])
    scale_losses(axes)
    assert axes.get_yscale() == "log" and list(axes.get_yticks()) == loss_ticks(*axes.get_ylim())
