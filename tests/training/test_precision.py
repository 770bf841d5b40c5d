"""Whether bf16 is taken is measured."""

import time

import pytest
import torch

from anyorder.training import precision
from anyorder.training.precision import worthwhile_precision


@pytest.mark.parametrize(("ratios", "expected"), [((0.5, 0.6), "bf16"), ((0.5, 1.2), "no"), ((1.0,), "no"), ((70.0,), "no")])
def test_bf16_is_taken_if_products_and_the_model_are_faster_so(monkeypatch, capsys, ratios, expected):
    asked, found = [], iter(ratios)
    monkeypatch.setattr(precision, "_ratio", lambda work: asked.append(work) or next(found))
    model = object()
    assert worthwhile_precision(model) == expected
    assert (model in asked) == (len(ratios) == 2), "where products are slower, no pass is tried"
    assert f"auto: {expected} (bf16 takes {ratios[-1]:.2f}" in capsys.readouterr().err


def test_both_precisions_are_timed():
    slow = lambda: time.sleep(0.002 if torch.is_autocast_enabled("cpu") else 0.02)  # noqa: E731
    assert 0.1 < precision._ratio(slow) < 0.5


def test_a_measurement_draws_no_random_numbers(monkeypatch):
    monkeypatch.setattr(precision, "WORTH", float("inf"))
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    assert worthwhile_precision(lambda: torch.rand(5)) == "bf16"
    assert torch.equal(torch.rand(3), expected)
