"""Both baselines on a trajectory small enough to do by hand: a view of one cell."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from anyorder.elements.batch import EncodedTrajectories
from anyorder.elements.grid import Attribute, GridVocabulary
from anyorder.evaluation.baselines import Baselines, Copies
from anyorder.masking.order import imitate, reconstruct
from anyorder.types import Trajectory

OBJECTS = [1, 5, 5, 6, 1, 5]
ACTIONS = [2, 2, 0, 2, 1]


@pytest.fixture(scope="module")
def data():
    observations = np.zeros((len(OBJECTS), 1, 1, 3), np.uint8)
    observations[:, 0, 0, 0] = OBJECTS
    trajectory = Trajectory(
        env_id="toy",
        seed=0,
        mission="go",
        observations=observations,
        directions=np.array([3, 3, 3, 0, 3, 3], np.uint8),
        actions=np.array(ACTIONS, np.uint8),
        rewards=np.zeros(len(ACTIONS), np.float32),
        terminated=True,
        truncated=False,
    )
    return EncodedTrajectories([trajectory], GridVocabulary.of([trajectory]))


VOCABULARY = GridVocabulary(("<unknown>", "go"))
START = VOCABULARY.offsets


def test_most_frequent_values(data):
    baselines = Baselines.of(data, VOCABULARY)
    expected = {Attribute.OBJECT: 5, Attribute.COLOR: 0, Attribute.DIRECTION: 3, Attribute.ACTION: 2}
    for attribute, value in expected.items():
        assert baselines.most_frequent[attribute] == START[attribute] + value
    layout = data.batch([0]).layout
    assert (layout.grid.actions(baselines.frequent(layout)) == START[Attribute.ACTION] + 2).all()


def test_nll_is_of_the_share_with_one_added_to_each_count(data):
    nll = Baselines.of(data, VOCABULARY).nll
    assert nll[START[Attribute.OBJECT] + 5] == pytest.approx(-math.log((3 + 1) / (6 + 11)))
    assert nll[START[Attribute.OBJECT] + 9] == pytest.approx(-math.log((0 + 1) / (6 + 11)))
    # The last frame has no action, and its padding is not counted.
    assert nll[START[Attribute.ACTION] + 2] == pytest.approx(-math.log((3 + 1) / (5 + 7)))
    for attribute in (Attribute.OBJECT, Attribute.ACTION):
        start = START[attribute]
        assert torch.exp(-nll[start : start + VOCABULARY.sizes[attribute]]).sum() == pytest.approx(1.0)


def test_copy_takes_the_latest_earlier_visible_frame(data):
    batch = data.batch([0])
    shape = batch.layout.grid
    hidden = torch.zeros_like(batch.layout.present)
    shape.cells(hidden)[0, [0, 2, 4, 5], 0, 0] = True
    copied = Baselines.of(data, VOCABULARY).copied(batch, reconstruct(batch.layout, hidden)).values
    objects = shape.cells(copied)[0, :, 0, 0] - START[Attribute.OBJECT]
    # Frame 0 has nothing before it (most frequent: 5); 2 copies 1; 4 and 5 both copy 3, as 4 is hidden itself.
    assert objects[[0, 2, 4, 5]].tolist() == [5, 5, 6, 6]


def test_the_future_is_never_copied(data):
    batch = data.batch([0])
    shape = batch.layout.grid
    hidden = torch.zeros_like(batch.layout.present)
    shape.directions(hidden)[0, :4] = True
    copied = Baselines.of(data, VOCABULARY).copied(batch, reconstruct(batch.layout, hidden)).values
    assert (shape.directions(copied)[0, :4] == START[Attribute.DIRECTION] + 3).all()


def test_true_actions_of_lower_rank_are_copied(data):
    batch = data.batch([0])
    copied = Baselines.of(data, VOCABULARY).copied(batch, imitate(batch.layout)).values
    actions = batch.layout.grid.actions(copied)[0, :5] - START[Attribute.ACTION]
    assert actions.tolist() == [2, *ACTIONS[:4]]


def test_copying_is_as_sure_as_values_are_kept(data):
    """Objects 1, 5, 5, 6, 1, 5 are kept once in five steps, directions 3, 3, 3, 0, 3, 3 three times in five."""
    baselines = Baselines.of(data, VOCABULARY)
    assert baselines.kept[Attribute.OBJECT] == pytest.approx((1 + 1) / (5 + 2))
    assert baselines.kept[Attribute.DIRECTION] == pytest.approx((3 + 1) / (5 + 2))
    assert baselines.kept[Attribute.ACTION] == pytest.approx((1 + 1) / (4 + 2)), "2, 2, 0, 2, 1"

    batch = data.batch([0])
    shape = batch.layout.grid
    hidden = torch.zeros_like(batch.layout.present)
    shape.cells(hidden)[0, [0, 2, 3], 0, 0] = True
    copies = baselines.copied(batch, reconstruct(batch.layout, hidden))
    nll = shape.cells(baselines.copied_nll(batch, copies))[0, :, 0, 0]
    share = {1: 3 / 17, 5: 4 / 17, 6: 2 / 17}
    assert nll[0] == pytest.approx(-math.log(share[1])), "nothing to copy"
    assert nll[2] == pytest.approx(-math.log(2 / 7)), "5 was seen, 5 it is"
    assert nll[3] == pytest.approx(-math.log(5 / 7 * share[6] / (1 - share[5]))), "5 was seen, 6 it is"


def test_copying_gives_a_distribution(data):
    baselines = Baselines.of(data, VOCABULARY)
    start, size = START[Attribute.OBJECT], VOCABULARY.sizes[Attribute.OBJECT]
    batch = data.batch([0]).rows(torch.zeros(size, dtype=torch.int64))
    cells = batch.layout.grid.cells
    cells(batch.values)[:, 1, 0, 0] = torch.arange(start, start + size)
    hidden = torch.zeros_like(batch.layout.present)
    cells(hidden)[:, 1, 0, 0] = True
    copies = baselines.copied(batch, reconstruct(batch.layout, hidden))
    assert torch.exp(-cells(baselines.copied_nll(batch, copies))[:, 1, 0, 0]).sum() == pytest.approx(1.0)


def test_what_was_never_kept_otherwise_stays_finite():
    """The state of a view without doors is one value, a million times over."""
    nll = -torch.tensor([1e6, 1.0]).double().div(1e6 + 1).log()
    baselines = Baselines(torch.zeros(7, dtype=torch.int64), nll, torch.full((7,), 1 - 1e-9, dtype=torch.float64))
    copies = Copies(torch.tensor([[0, 0]]), torch.tensor([[True, True]]))
    batch = SimpleNamespace(values=torch.tensor([[0, 1]]), layout=SimpleNamespace(attribute=torch.zeros(1, 2).long()))
    assert baselines.copied_nll(batch, copies)[0].tolist() == pytest.approx([1e-9, -math.log(1e-9)], rel=1e-3)
