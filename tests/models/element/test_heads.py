"""The normal densities of a head mean what they say."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from anyorder.elements.spec import Bins, Categories, Field, Spec
from anyorder.models.element.heads import CellHeads

BINS = Bins(low=-4.0, high=8.0, number=200, mean=2.0, deviation=2.0)
SPEC = Spec(
    (
        Field("lamp", "observation", "body", 1, Categories((0, 1, 2), ("off", "dim", "on")), "lamp"),
        Field("height", "observation", "body", 1, BINS, "height"),
    )
)
WIDTH = 4


def heads(mean, log_deviation):
    """A head that says the same of every cell, and prefers no bin beyond that; of the lamp, as if it were a number, too."""
    made = CellHeads(SPEC, WIDTH, "normal")
    for parameter in made.parameters():
        torch.nn.init.zeros_(parameter)
    with torch.no_grad():
        made.normals[0].predicted.bias[:] = torch.tensor([5.0, mean, 5.0, log_deviation])
    return made


def ask(made):
    """Logits of the lamp and of the height of one cell."""
    zero = torch.zeros(1, dtype=torch.int64)
    return made(torch.ones(1, WIDTH), zero, torch.ones(1, 2, dtype=torch.bool), torch.tensor([[0, 1]]))


@pytest.mark.parametrize(("mean", "deviation"), [(0.0, 1.0), (0.7, 0.2), (-1.3, 0.4)])
def test_bins_have_the_mass_of_a_normal_distribution(mean, deviation):
    shares = ask(heads(mean, math.log(deviation)))[1].softmax(dim=0).double().detach()
    middles = torch.from_numpy((BINS.recorded(np.arange(200)) - BINS.mean) / BINS.deviation)
    inside = (middles - mean).abs() < deviation
    assert shares @ middles == pytest.approx(mean, abs=0.02)
    assert shares[inside].sum() == pytest.approx(0.683, abs=0.03)


def test_categories_are_left_alone():
    assert ask(heads(0.5, 0.0))[0, :3].tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("log_deviation", [-100.0, 100.0])
def test_sureness_has_bounds(log_deviation):
    made = heads(0.5, log_deviation)
    logits = ask(made)
    functional.cross_entropy(logits[1:], torch.tensor([3])).backward()
    assert logits[1].isfinite().all()
    assert all(parameter.grad.isfinite().all() for parameter in made.parameters())


def test_a_sure_mean_learns_no_faster_than_in_proportion_to_its_error_in_deviations():
    """A plain gradient of the loss is the error over the variance; scaled by the deviation, it is the error in deviations."""
    slopes = []
    for deviation in (0.4, 0.2):
        made = heads(0.0, math.log(deviation))
        truth = torch.from_numpy(BINS.numbers(np.array([BINS.mean + BINS.deviation * deviation])))
        functional.cross_entropy(ask(made)[1:], truth).backward()
        slopes.append(made.normals[0].predicted.bias.grad[1].item())
    assert slopes == pytest.approx([-1.0, -1.0], abs=0.1)


def test_a_head_without_memory_has_the_shapes_of_one_with_it():
    """Checkpoints are compared with it before they take any memory."""
    with torch.device("meta"):
        empty = CellHeads(SPEC, WIDTH, "normal")
    shapes = [{name: tensor.shape for name, tensor in made.state_dict().items()} for made in (empty, heads(0.0, 0.0))]
    assert shapes[0] == shapes[1]
    assert any("normals" in name for name in shapes[0])
