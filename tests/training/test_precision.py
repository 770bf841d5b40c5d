"""Whether bf16 is taken is measured."""

import time
from functools import partial

import pytest
import torch
from accelerate import PartialState

from anyorder.training import precision
from anyorder.training.launch import launch
from anyorder.training.precision import worthwhile_precision


@pytest.mark.parametrize(("ratios", "expected"), [((0.5, 0.6), "bf16"), ((0.5, 1.2), "no"), ((1.0,), "no"), ((70.0,), "no")])
def test_bf16_is_taken_if_products_and_the_model_are_faster_so(monkeypatch, ratios, expected):
    asked, found = [], iter(ratios)
    monkeypatch.setattr(precision, "_ratio", lambda work: asked.append(work) or next(found))
    model = object()
    assert precision._chosen("cpu", model) == (expected, f"bf16 takes {ratios[-1]:.2f} of the time of fp32 here")
    assert (model in asked) == (len(ratios) == 2), "where products are slower, no pass is tried"


def test_what_is_chosen_is_said(monkeypatch, capsys):
    monkeypatch.setattr(precision, "_chosen", lambda device, learn: ("bf16", "since it is quick"))
    assert worthwhile_precision(lambda: None) == "bf16"
    assert "training.mixed_precision auto: bf16 (since it is quick)" in capsys.readouterr().err


@pytest.mark.parametrize(("device", "able", "expected"), [("cuda", True, "bf16"), ("cuda", False, "no"), ("mps", True, "no")])
def test_on_an_accelerator_nothing_is_measured(monkeypatch, device, able, expected):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: able)
    assert precision._chosen(device, None)[0] == expected


def _joined(folder):
    found = worthwhile_precision(int)
    state = PartialState()
    (folder / str(state.process_index)).write_text(f"{found}, one of {state.num_processes}")


def test_processes_of_a_run_are_joined_and_agree(tmp_path):
    launch(partial(_joined, tmp_path), num_processes=2, num_threads=1)
    told = [file.read_text() for file in sorted(tmp_path.iterdir())]
    assert len(told) == 2 and told[0] == told[1] and told[0].endswith("one of 2")


def test_both_precisions_are_timed():
    slow = lambda: time.sleep(0.002 if torch.is_autocast_enabled("cpu") else 0.02)  # noqa: E731
    assert 0.1 < precision._ratio(slow) < 0.5


def test_a_measurement_draws_no_random_numbers(monkeypatch):
    monkeypatch.setattr(precision, "WORTH", float("inf"))
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    assert precision._chosen("cpu", lambda: torch.rand(5))[0] == "bf16"
    assert torch.equal(torch.rand(3), expected)
