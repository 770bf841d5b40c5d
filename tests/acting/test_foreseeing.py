"""Foreseeing: what an expert would see next decides what is done, and nothing else does."""

import numpy as np
import pytest
import torch

from anyorder.acting.foreseeing import WAYS_OF_ACTING, ForeseeingPolicy
from anyorder.elements.grid import Attribute, GridVocabulary
from anyorder.elements.layout import Kind
from anyorder.envs.minigrid import View
from anyorder.errors import AnyOrderError
from anyorder.evaluation.evaluate import EvaluationConfig
from anyorder.inference.decoding import SinglePass

VOCABULARY = GridVocabulary(("<unknown>", "go", "left"))


class Expert(torch.nn.Module):
    """Knows that an expert turns east or west from where it stands, with these probabilities, and that action 0 or 1 has been
    taken where the next direction is the one or the other. It is asked for the action only where it sees both."""

    vocabulary, view, max_frames = VOCABULARY, (1, 1), None

    def __init__(self, east):
        super().__init__()
        self.east = east
        self.asked = []

    def forward(self, values, layout, order):
        row, element = order.targets.nonzero(as_tuple=True)
        kind, offsets = layout.kind[row, element], VOCABULARY.offsets
        logits = torch.full((len(row), len(VOCABULARY)), -torch.inf)
        for number, (b, e) in enumerate(zip(row.tolist(), element.tolist())):
            attribute = Attribute(int(layout.attribute[b, e]))
            if kind[number] == Kind.ACTION:
                step = int(layout.step[b, e])
                after = (layout.attribute[b] == Attribute.DIRECTION) & (layout.step[b] == step + 1)
                self.asked.append(step)
                logits[number, offsets[attribute] + int(values[b, after]) - offsets[Attribute.DIRECTION]] = 0.0
            elif attribute == Attribute.DIRECTION:
                logits[number, offsets[attribute] : offsets[attribute] + 2] = torch.tensor([self.east, 1 - self.east]).log()
            else:
                logits[number, offsets[attribute]] = 0.0
        return logits


def history_of(policy, num_frames):
    history = policy.start("go left")
    for number in range(num_frames):
        if number:
            history.act(2)
        history.observe(View(np.zeros((1, 1, 3), np.uint8), 0, "go left"))
    return history


@pytest.mark.parametrize(("east", "expected"), [(1.0, 0), (0.0, 1)])
def test_the_action_that_leads_to_what_is_foreseen_is_taken(east, expected):
    policy = ForeseeingPolicy(Expert(east), num_samples=3)
    assert policy.actions([history_of(policy, 1), history_of(policy, 4)]) == [expected, expected]
    assert sorted(set(policy.model.asked)) == [0, 3], "of each history, the action after its last observation"


def test_actions_are_as_probable_as_what_they_lead_to_and_the_seed_decides():
    policy = ForeseeingPolicy(Expert(0.7), seed=3, num_samples=400, decoder=SinglePass(temperature=1.0))
    history = history_of(policy, 2)
    shares = policy.all_logits([history]).exp()[0]
    assert shares.sum() == pytest.approx(1, abs=1e-5) and not shares[2:].any()
    # Samples are weighed by the geometric mean of the probabilities of their four values.
    weight = np.array([0.7 * 0.7**0.25, 0.3 * 0.3**0.25])
    assert shares[:2].tolist() == pytest.approx((weight / weight.sum()).tolist(), abs=0.08)
    again = ForeseeingPolicy(Expert(0.7), seed=3, num_samples=400, decoder=SinglePass(temperature=1.0))
    assert torch.equal(again.all_logits([history])[0], shares.log()), "the given histories are not changed"
    assert len(history) == 2


def test_a_model_of_a_grid_foresees(make_model):
    model = make_model((1, 1)).float()
    policy = WAYS_OF_ACTING["foreseeing"](model, 1.0, 0, 0.0)
    history = policy.start("go to the ball")
    history.observe(View(np.zeros((1, 1, 3), np.uint8), 0, "go to the ball"))
    logits = policy.all_logits([history, history])
    assert logits.shape == (2, 7) and torch.allclose(logits.exp().sum(dim=1), torch.ones(2), atol=1e-5)
    with pytest.raises(ValueError, match="num_samples must be at least 1"):
        ForeseeingPolicy(model, num_samples=0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"acting": "dreaming"}, "acting must be one of direct, foreseeing, scoring, generating, constrained; found dreaming"),
        ({"acting": "foreseeing"}, "robustness compares agents that act directly"),
    ],
)
def test_how_episodes_are_played_is_checked(settings, message):
    with pytest.raises(AnyOrderError, match=message):
        EvaluationConfig(**settings)
    assert EvaluationConfig(metric="task_success", acting="foreseeing").plays
