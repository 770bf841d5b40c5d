"""Whoever is shown more answers no worse, and who does is found out."""

import json
from itertools import pairwise

import pytest
import torch

from anyorder.cli import main
from anyorder.elements.batch import Budget
from anyorder.evaluation.more_shown import SHOWN_SHARES, more_shown
from anyorder.masking.order import Role
from anyorder.pictures.more_shown_plot import more_shown_figure

BUDGET = Budget(64, "frames")


class Recorder(torch.nn.Module):
    """A model whose answers say how much it was shown: ``sure`` turns the share into the logit of the true value."""

    def __init__(self, num_values, sure):
        super().__init__()
        self.orders, self.num_values, self.sure = [], num_values, sure

    def forward(self, values, layout, order):
        self.orders.append(order)
        other = layout.askable & ((order.roles == Role.CONTEXT) | (order.roles == Role.HIDDEN))
        share = ((order.roles == Role.CONTEXT) & other).sum() / other.sum()
        logits = torch.zeros(int(order.targets.sum()), self.num_values)
        return logits.scatter(1, values[order.targets][:, None], float(self.sure(share)))


def scores(encoded, vocabulary, sure):
    model = Recorder(len(vocabulary), sure)
    return model, more_shown(model, encoded, BUDGET, seed=0)


def test_the_same_is_asked_from_more_and_more(encoded, vocabulary):
    model, found = scores(encoded, vocabulary, lambda share: 5 * share)
    assert [score.shown for score in found] == list(SHOWN_SHARES) and len({score.count for score in found}) == 1
    for first in range(0, len(model.orders), len(SHOWN_SHARES)):
        orders = model.orders[first : first + len(SHOWN_SHARES)]
        assert all(torch.equal(order.targets, orders[0].targets) for order in orders)
        shown = [order.roles == Role.CONTEXT for order in orders]
        assert all(bool((more | ~fewer).all()) for fewer, more in pairwise(shown)), "what fewer show, more show, too"
        assert not (orders[-1].roles == Role.HIDDEN).any()
    assert found[0].gain is None and all(score.gain.value > 0 for score in found[1:])
    assert not any(score.harms for score in found)


def test_a_model_that_is_confused_by_more_is_found_out(encoded, vocabulary):
    _, found = scores(encoded, vocabulary, lambda share: 5 * (1 - share))
    assert not found[0].harms and found[-1].harms and found[-1].nats.value > found[0].nats.value


def test_the_plot_shows_every_share(encoded, vocabulary):
    _, found = scores(encoded, vocabulary, lambda share: 5 * share)
    (axes,) = more_shown_figure(found).axes
    points = axes.lines[0].get_xydata()
    assert points[:, 0].tolist() == list(SHOWN_SHARES)
    assert points[:, 1].tolist() == [score.nats.value for score in found]


GRIDS = ["--env", "BabyAI-GoToRedBall-v0", "--num_episodes", "200", "--num_validation", "20", "--num_test", "60"]
CARTS = ["--env", "CartPole-v1", "--policy", "random", "--num_episodes", "60", "--num_validation", "6", "--num_test", "30"]


@pytest.mark.parametrize("what", [GRIDS, CARTS], ids=["grids", "fields"])
def test_a_trained_checkpoint_answers_no_worse_from_more(what, tmp_path):
    data, run, out = tmp_path / "data", tmp_path / "run", tmp_path / "out"
    main(["collect", *what, "--num_processes", "1", "--output_dir", str(data)])
    sizes = ["--training.num_updates", "120", "--training.frames_per_batch", "32", "--training.num_processes", "1"]
    main(["train", "--data.path", str(data), "--output_dir", str(run), *sizes, "--training.num_validations", "1"])
    checkpoint = str(run / "checkpoints" / "best.pt")
    main(["evaluate", "--checkpoint", checkpoint, "--metric", "more_shown", "--output_dir", str(out)])
    assert (out / "more_shown.png").exists()
    found = json.loads((out / "metrics.json").read_text())["more_shown"]
    assert [entry["shown"] for entry in found] == list(SHOWN_SHARES)
    assert all(entry["gain"]["high"] >= 0 for entry in found[1:]), "no share of context does harm"
    assert found[-1]["nats"]["value"] < 0.9 * found[0]["nats"]["value"]
