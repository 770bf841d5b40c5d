"""Elements can be turned back into the trajectory they came from."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from anyorder.elements.batch import EncodedTrajectories
from anyorder.elements.grid import UNKNOWN_WORD, Attribute, GridVocabulary, returns_to_go


def assert_recovered(trajectory, row, values, layout, vocabulary):
    shape, starts, length = layout.grid, vocabulary.offsets, len(trajectory)
    attributes = (Attribute.OBJECT, Attribute.COLOR, Attribute.STATE)
    cells = shape.cells(values)[row, : length + 1] - torch.tensor([starts[a] for a in attributes])
    assert np.array_equal(cells.reshape(trajectory.observations.shape), trajectory.observations)
    directions = shape.directions(values)[row, : length + 1] - starts[Attribute.DIRECTION]
    assert directions.tolist() == trajectory.directions.tolist()
    returns = shape.returns(values)[row, :length] - starts[Attribute.RETURN]
    assert returns.tolist() == returns_to_go(trajectory.rewards).tolist()
    actions = shape.actions(values)[row, :length] - starts[Attribute.ACTION]
    assert actions.tolist() == trajectory.actions.tolist()
    words = shape.words(values)[row][: len(trajectory.mission.split())] - starts[Attribute.WORD]
    assert " ".join(vocabulary.words[word] for word in words) == trajectory.mission


def test_demonstrations_are_recovered_exactly(trajectories, vocabulary, encoded):
    batch = encoded.batch(range(len(trajectories)))
    for row, trajectory in enumerate(trajectories):
        assert_recovered(trajectory, row, batch.values, batch.layout, vocabulary)


@settings(max_examples=25, deadline=None)
@given(lengths=st.lists(st.integers(1, 6), min_size=1, max_size=4), view=st.tuples(st.integers(1, 4), st.integers(1, 4)))
def test_trajectories_of_any_length_and_view_are_recovered_exactly(make_trajectory, lengths, view):
    trajectories = [make_trajectory(n, view, " ".join("ab"[: n % 3]), seed) for seed, n in enumerate(lengths)]
    vocabulary = GridVocabulary.of(trajectories)
    batch = EncodedTrajectories(trajectories, vocabulary).batch(range(len(lengths)))
    for row, trajectory in enumerate(trajectories):
        assert_recovered(trajectory, row, batch.values, batch.layout, vocabulary)
    assert not batch.values[~batch.layout.present].any()


def test_each_value_belongs_to_exactly_one_attribute(vocabulary):
    allowed = vocabulary.allowed()
    assert allowed.shape == (len(Attribute), len(vocabulary))
    assert allowed.sum(dim=0).tolist() == [1] * len(vocabulary)
    sizes = {
        Attribute.OBJECT: 11,
        Attribute.COLOR: 6,
        Attribute.STATE: 4,
        Attribute.DIRECTION: 4,
        Attribute.RETURN: 21,
        Attribute.ACTION: 7,
    }
    assert {a: int(allowed[a].sum()) for a in sizes} == sizes


def test_a_word_never_seen_is_the_unknown_word():
    vocabulary = GridVocabulary((UNKNOWN_WORD, "ball", "red"))
    assert vocabulary.encode_mission("red zebra ball") == [55, 53, 54]


def test_a_return_is_what_is_still_to_be_earned():
    """Twentieths, rounded up, so that anything earned differs from nothing."""
    assert returns_to_go(np.array([0, 0.5, 0, 0.01], np.float32)).tolist() == [11, 11, 1, 1]
    assert returns_to_go(np.array([0.95, 0, 0], np.float32)).tolist() == [19, 0, 0]
    assert returns_to_go(np.array([1, 1], np.float32)).tolist() == [20, 20]
    assert returns_to_go(np.array([-1, 0], np.float32)).tolist() == [0, 0]


def test_a_value_minigrid_does_not_have_is_refused(make_trajectory):
    trajectory = make_trajectory(1)
    trajectory.directions.flags.writeable = True
    trajectory.directions[0] = 4  # would be read as the first action
    with pytest.raises(ValueError, match="direction.*4"):
        EncodedTrajectories([trajectory], GridVocabulary.of([trajectory]))
