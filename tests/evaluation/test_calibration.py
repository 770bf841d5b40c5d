"""The expected calibration error, by hand."""

import itertools

import pytest
import torch

from anyorder.evaluation.calibration import NUM_BINS, ConfidenceSums


def of(confidence, right):
    sums = ConfidenceSums()
    sums.add(torch.tensor(confidence), torch.tensor(right))
    return sums.calibration()


def test_by_hand():
    """Bins of width 1/15: 0.95 and 0.97 share the last, 0.5 and 0.52 the eighth."""
    found = of([0.95, 0.97, 0.5, 0.52], [True, False, False, False])
    assert found.expected_calibration_error == pytest.approx(2 / 4 * abs(0.5 - 0.96) + 2 / 4 * abs(0 - 0.51), abs=1e-6)
    assert (found.count, found.accuracy, found.mean_confidence) == (4, 0.25, pytest.approx(0.735))
    assert [(number, b.count) for number, b in enumerate(found.bins) if b.count] == [(7, 2), (14, 2)]
    assert found.bins[14].mean_confidence == pytest.approx(0.96) and found.bins[14].accuracy == 0.5
    assert found.bins[0].mean_confidence is None and found.bins[0].accuracy is None


def test_bins_are_open_below_and_closed_above():
    assert NUM_BINS == 15
    for confidence, number in ((0.0, 0), (1 / 15, 0), (1 / 15 + 1e-9, 1), (0.2, 2), (1.0, 14)):
        sums = ConfidenceSums()
        sums.add(torch.tensor([confidence], dtype=torch.float64), torch.tensor([True]))
        assert [b.count for b in sums.calibration().bins].index(1) == number
    bins = of([0.5], [True]).bins
    assert (bins[0].low, bins[-1].high) == (0.0, 1.0) and all(a.high == b.low for a, b in itertools.pairwise(bins))


def test_batches_add_up():
    generator = torch.Generator().manual_seed(0)
    confidence = torch.rand(1000, generator=generator)
    right = torch.rand(1000, generator=generator) < confidence
    whole, parts = ConfidenceSums(), ConfidenceSums()
    whole.add(confidence, right)
    for a, b in zip(confidence.split(130), right.split(130)):
        parts.add(a, b)
    found = parts.calibration()
    assert found.expected_calibration_error == pytest.approx(whole.calibration().expected_calibration_error)
    assert found.expected_calibration_error == pytest.approx(_reference(confidence.tolist(), right.tolist()))


def _reference(confidence, right):
    """Guo et al. (2017), equation 5, word by word."""
    error = 0.0
    for m in range(1, 16):
        members = [i for i, p in enumerate(confidence) if (m - 1) / 15 < p <= m / 15]
        if members:
            accuracy = sum(right[i] for i in members) / len(members)
            error += len(members) / len(confidence) * abs(accuracy - sum(confidence[i] for i in members) / len(members))
    return error


def test_who_is_right_as_often_as_he_says_has_a_small_error():
    generator = torch.Generator().manual_seed(0)
    confidence = torch.rand(100_000, generator=generator)
    sums, boasting = ConfidenceSums(), ConfidenceSums()
    sums.add(confidence, torch.rand(100_000, generator=generator) < confidence)
    boasting.add(confidence, torch.rand(100_000, generator=generator) < confidence - 0.1)
    assert sums.calibration().expected_calibration_error < 0.01
    assert boasting.calibration().expected_calibration_error == pytest.approx(0.095, abs=0.01)


def test_nothing_has_no_calibration():
    with pytest.raises(ValueError, match="at least one"):
        ConfidenceSums().calibration()
