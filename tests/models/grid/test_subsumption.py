"""Imitation, the implicit world model and masked reconstruction are what they are called: the same loss and gradients as
implementations that know neither roles nor ranks."""

import pytest
import torch
from torch.nn import functional

from anyorder.acting.stepwise import StepwisePolicy
from anyorder.elements.grid import Attribute, Encoded, collate
from anyorder.elements.layout import Kind
from anyorder.envs.minigrid import View
from anyorder.masking.order import Order, Role, reconstruct
from anyorder.masking.schedules import Rate
from anyorder.masking.strategies import Cell, NextAction, NextObservation
from anyorder.training.loss import Weighting


@pytest.fixture
def model(make_model, vocabulary):
    return make_model((7, 7), vocabulary)


def ours(model, batch, strategy):
    order = strategy(batch.layout, torch.Generator().manual_seed(0))
    logits = model(batch.values, batch.layout, order)
    return Weighting("target").sums(logits, batch.values, batch.layout, order).mean(), order


def assert_same(model, loss, direct):
    torch.testing.assert_close(loss.double(), direct.double(), rtol=1e-6, atol=1e-7)
    parameters = list(model.parameters())
    for one, other in zip(*(torch.autograd.grad(x, parameters, allow_unused=True) for x in (loss, direct))):
        one, other = (torch.zeros(()) if x is None else x for x in (one, other))
        torch.testing.assert_close(one.double().expand_as(other), other.double().expand_as(one), rtol=1e-5, atol=1e-7)


def asked_alone(model, whole, step, kind):
    """Logits of the observation or action of one step, from a trajectory that ends there: what is asked is a blank in the
    data, what follows does not exist. ``whole`` is the encoded trajectory."""
    frames = whole.frames[: step + 1].clone()
    frames[step, -1] = 0
    if kind == Kind.OBSERVATION:
        frames[step] = 0
    values, layout = collate([Encoded("", whole.words, frames, step + (kind == Kind.ACTION))], 7, 7)
    order = reconstruct(layout, layout.of_kind(kind) & (layout.step == step))
    known = 1 + 2 * layout.step + layout.of_kind(Kind.ACTION)  # the past was understood as it happened
    return model(values, layout, Order(order.roles, known.clamp(min=0).int()))


def test_next_action_is_imitation_example_by_example(model, encoded):
    loss, _ = ours(model, encoded.batch([0, 1, 2]), NextAction())
    nlls = []
    for whole in encoded._encoded[:3]:
        for step in range(whole.num_actions):
            nlls.append(functional.cross_entropy(asked_alone(model, whole, step, Kind.ACTION), whole.frames[step, -1:]))
    assert_same(model, loss, torch.stack(nlls).mean())


@torch.no_grad()
def test_next_action_is_what_the_acting_agent_computes(model, trajectories, encoded):
    """The agent goes frame by frame and knows no roles at all."""
    loss, _ = ours(model, encoded.batch([0, 1, 2]), NextAction())
    policy, nlls = StepwisePolicy(model), []
    for trajectory in trajectories[:3]:
        history = policy.start(trajectory.mission)
        for step, action in enumerate(trajectory.actions.tolist()):
            history.observe(View(trajectory.observations[step], int(trajectory.directions[step]), trajectory.mission))
            nlls.append(functional.cross_entropy(policy.logits([history]), torch.tensor([action])))
            history.act(action)
    torch.testing.assert_close(loss.float(), torch.stack(nlls).mean(), rtol=1e-5, atol=1e-6)


def test_next_observation_is_a_world_model_asked_example_by_example(model, encoded):
    batch = encoded.batch([0])
    loss, _ = ours(model, batch, NextObservation())
    whole, nlls = encoded._encoded[0], []
    for step in range(len(whole.frames)):
        logits = asked_alone(model, whole, step, Kind.OBSERVATION)
        nlls.append(functional.cross_entropy(logits, whole.frames[step, :-2], reduction="none"))
    assert_same(model, loss, torch.cat(nlls).mean())


def test_cell_masking_is_masked_language_modelling(model, encoded, vocabulary):
    """Directly: mask symbols in the input, a softmax over each attribute's own values, the mean over what was masked."""
    batch = encoded.batch([0, 1, 2])
    loss, order = ours(model, batch, Cell(Rate(0.4, 0.4)))
    nlls = []
    for row, element in order.targets.nonzero().tolist():
        alone = order.roles[row : row + 1].masked_fill(order.targets[row : row + 1], int(Role.HIDDEN))
        alone[0, element] = Role.TARGET
        nlls.append((row, element, alone))
    chosen = torch.randperm(len(nlls), generator=torch.Generator().manual_seed(0))[:40].tolist()
    logits = model(batch.values, batch.layout, order)
    for number in chosen:  # one question at a time, all else as hidden
        row, element, roles = nlls[number]
        index = torch.tensor([row])
        single = model(batch.values[index], batch.layout.rows(index), Order(roles, order.ranks[index]))
        torch.testing.assert_close(single[0], logits[number])
    direct = []
    for (row, element, _), answer in zip(nlls, logits):
        attribute = Attribute(int(batch.layout.attribute[row, element]))
        start = vocabulary.offsets[attribute]
        own = answer[start : start + vocabulary.sizes[attribute]]
        direct.append(own.logsumexp(0) - own[batch.values[row, element] - start])
    assert_same(model, loss, torch.stack(direct).mean())
