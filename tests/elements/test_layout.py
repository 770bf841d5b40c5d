"""Every element knows where it belongs; checked by hand on the smallest trajectory."""

import numpy as np
import pytest
import torch

from anyorder.elements.batch import EncodedTrajectories
from anyorder.elements.grid import Attribute, Encoded, GridVocabulary, collate, object_elements
from anyorder.elements.layout import Kind
from anyorder.types import Trajectory

A, K = Attribute, Kind


@pytest.fixture
def trajectory():
    """Two observations of a view of one column and two rows, one action."""
    return Trajectory(
        env_id="toy",
        seed=0,
        mission="b a",
        observations=np.array([[[[2, 5, 0], [4, 1, 2]]], [[[1, 0, 0], [10, 3, 3]]]], np.uint8),
        directions=np.array([3, 0], np.uint8),
        actions=np.array([6], np.uint8),
        rewards=np.array([0.5], np.float32),
        terminated=True,
        truncated=False,
    )


@pytest.fixture
def batch(trajectory):
    return EncodedTrajectories([trajectory], GridVocabulary.of([trajectory])).batch([0])


def test_every_element_of_a_tiny_trajectory_by_hand(batch):
    layout, cell = batch.layout, [A.OBJECT, A.COLOR, A.STATE]
    observed = [K.OBSERVATION] * 7
    assert layout.kind.tolist() == [[K.MISSION] * 2 + observed + [K.RETURN, K.ACTION] + observed + [K.PADDING] * 2]
    assert layout.attribute.tolist() == [[A.WORD] * 2 + (cell + cell + [A.DIRECTION, A.RETURN, A.ACTION]) * 2]
    assert layout.step.tolist() == [[-1, -1] + [0] * 9 + [1] * 9]
    assert layout.cell.tolist() == [[0, 1, 2, 2, 2, 3, 3, 3, 4, 5, 6, 7, 7, 7, 8, 8, 8, 9, 10, 11]]
    assert layout.unit.tolist() == [[0, 0] + [1] * 7 + [2, 3] + [4] * 7 + [5, 6]]
    assert (layout.num_cells, layout.num_units, layout.missions) == (12, 7, ("b a",))


def test_values_of_a_tiny_trajectory_by_hand(batch):
    # Ranges: objects 0-10, colors 11-16, states 17-20, directions 21-24, returns 25-45, actions 46-52, words from 53 (the
    # unknown one).
    words, first, second = [55, 54], [2, 16, 17, 4, 12, 19, 24, 35, 52], [1, 11, 17, 10, 14, 20, 21]
    assert batch.values.tolist() == [words + first + second + [0, 0]]


def test_shorter_trajectories_are_padded_and_padding_does_not_exist(make_batch):
    layout = make_batch([3, 1], view=(1, 1)).layout
    assert layout.shape == (2, 4 + 4 * 6)
    assert layout.kind[0].count_nonzero() == 4 + 3 * 6 + 4
    assert layout.present[1].tolist() == [True] * (4 + 6 + 4) + [False] * (2 + 6 + 6)


def test_shorter_missions_are_padded(make_trajectory):
    trajectories = [make_trajectory(1, mission="go to it"), make_trajectory(1, mission="go")]
    layout = EncodedTrajectories(trajectories, GridVocabulary.of(trajectories)).batch([0, 1]).layout
    assert layout.of_kind(Kind.MISSION)[:, :4].tolist() == [[True, True, True, False], [True, False, False, False]]


def test_an_open_history_has_its_next_action():
    frames = torch.zeros(2, 6, dtype=torch.int64)
    whole, still_open = Encoded("", torch.zeros(0, dtype=torch.int64), frames, 1), Encoded("", frames[0, :0], frames, 2)
    _, layout = collate([whole, still_open], 1, 1)
    assert layout.of_kind(Kind.ACTION).tolist() == [[False] * 5 + [True] + [False] * 6, ([False] * 5 + [True]) * 2]


def test_objects_are_what_is_above_a_wall(batch):
    # Only the second cell of each frame: a door (4) and an agent (10), not a wall (2) or an empty cell (1).
    expected = [False] * 5 + [True] * 3 + [False] * 6 + [True] * 3 + [False] * 3
    assert object_elements(batch.values, batch.layout).tolist() == [expected]


def test_chosen_rows_keep_their_lengths(make_batch):
    layout = make_batch([3, 1, 2]).layout
    rows = layout.rows(torch.tensor([2, 0]))
    assert torch.equal(rows.kind, layout.kind[[2, 0]]) and rows.grid == layout.grid


def test_chosen_rows_keep_their_missions(make_trajectory):
    trajectories = [make_trajectory(1, mission=mission) for mission in ("a", "b b", "c")]
    layout = EncodedTrajectories(trajectories, GridVocabulary.of(trajectories)).batch([0, 1, 2]).layout
    assert layout.rows(torch.tensor([2, 0])).missions == ("c", "a")
