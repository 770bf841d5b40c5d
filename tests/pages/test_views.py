"""Arrays become the numbers that ``grid.js`` reads, by hand."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from anyorder.pages.views import bits, codes, frame, marks, percent, uncoded


def test_cells_are_numbered_column_by_column():
    view = np.zeros((2, 3, 3), np.uint8)
    view[0, 1] = 6, 0, 0  # a red ball
    view[1, 2] = 4, 2, 1  # a closed blue door
    assert codes(view) == [0, 6 * 24, 0, 0, 0, 4 * 24 + 2 * 4 + 1]


@given(st.integers(0, 2**32 - 1), st.integers(1, 8), st.integers(1, 8))
def test_coding_loses_nothing(seed, columns, rows):
    view = np.random.default_rng(seed).integers([11, 6, 4], size=(columns, rows, 3)).astype(np.uint8)
    assert np.array_equal(uncoded(codes(view), columns), view)


def test_hidden_attributes_are_bits():
    hidden = np.array([[[1, 0, 0], [0, 1, 0]], [[0, 0, 1], [1, 1, 1]]], bool)
    assert bits(hidden) == [1, 2, 4, 7]


def test_only_what_was_asked_is_marked_and_rated():
    asked, right = np.array([[1, 1], [0, 0]], bool), np.array([[1, 0], [1, 0]], bool)
    assert marks(asked, right) == [1, 2, 0, 0]
    assert percent(np.array([[0.994, 0.5], [1.0, 1.0]]), asked) == [99, 50, None, None]


def test_a_frame_is_a_view_and_what_is_said_of_it():
    assert frame(np.zeros((1, 1, 3), np.uint8), hidden=[7]) == {"cells": [0], "hidden": [7]}
