"""Batches hold every trajectory once, keep to their budget and waste little on padding."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from anyorder.elements.batch import Budget, EncodedTrajectories
from anyorder.elements.grid import GridVocabulary


@pytest.fixture(scope="module")
def encode_lengths(make_trajectory):
    """Trajectories of the smallest view with so many frames each."""

    def encode(lengths):
        trajectories = [make_trajectory(length - 1, (1, 1), "go", seed) for seed, length in enumerate(lengths)]
        return EncodedTrajectories(trajectories, GridVocabulary.of(trajectories))

    return encode


@settings(max_examples=40, deadline=None)
@given(lengths=st.lists(st.integers(2, 20), min_size=1, max_size=60), budget=st.integers(1, 50), seed=st.integers(0, 9))
def test_an_epoch_holds_every_trajectory_once_and_keeps_its_budget(encode_lengths, lengths, budget, seed):
    data = encode_lengths(lengths)
    for batches in (
        data.shuffled(Budget(budget, "frames"), torch.Generator().manual_seed(seed)),
        data.in_order(Budget(budget, "frames")),
    ):
        assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
        for batch in batches:
            assert len(batch) == 1 or len(batch) * max(lengths[i] for i in batch) <= budget


def test_little_is_padding(encode_lengths):
    lengths = torch.randint(2, 40, (400,), generator=torch.Generator().manual_seed(0)).tolist()
    batches = encode_lengths(lengths).shuffled(Budget(128, "frames"), torch.Generator().manual_seed(0))
    padded = sum(len(batch) * max(lengths[i] for i in batch) for batch in batches)
    assert padded < 1.1 * sum(lengths)
    assert len(batches) < 1.2 * sum(lengths) / 128, "most of the budget is used"


def test_the_generator_alone_decides_the_batches(encode_lengths):
    data = encode_lengths([2 + i % 17 for i in range(90)])
    once, again, other = (data.shuffled(Budget(40, "frames"), torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert once == again
    assert once != other


def test_batches_do_not_come_sorted_by_length(encode_lengths):
    data = encode_lengths([2 + i % 17 for i in range(90)])
    longest = [data.lengths[batch[-1]] for batch in data.shuffled(Budget(40, "frames"), torch.Generator().manual_seed(1))]
    assert longest != sorted(longest)
    assert data.in_order(Budget(40, "frames")) == data.in_order(Budget(40, "frames"))
