"""Rewards that add up to more than the levels of a return reach are named, once."""

from dataclasses import replace

import numpy as np
import pytest

from anyorder.elements import batch
from anyorder.elements.batch import EncodedTrajectories
from anyorder.elements.grid import GridVocabulary, returns_beyond


@pytest.mark.parametrize(
    ("rewards", "found"),
    [([0, 0, 0.95], None), ([0.5, 0.5, 0], None), ([0, -1, 0], (-1, 0)), ([2, 0, 1.5], (1.5, 3.5)), ([0.1] * 10, None)],
)
def test_the_range_that_was_found(make_trajectory, rewards, found):
    trajectory = replace(make_trajectory(len(rewards)), rewards=np.array(rewards, np.float32))
    assert returns_beyond([trajectory]) == found


def test_it_is_said_once_with_what_to_do(make_trajectory, capsys, monkeypatch):
    monkeypatch.setattr(batch, "_SAID", set())
    rich = replace(make_trajectory(2), rewards=np.array([-4, 2.5], np.float32))
    poor = make_trajectory(2)
    for _ in range(2):
        EncodedTrajectories([poor, rich], GridVocabulary.of([poor, rich]))
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and "found -1.5 to 2.5 in toy" in said[0] and "scale the rewards" in said[0]
