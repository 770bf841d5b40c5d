"""Imagination feeds on itself and on nothing of the true future."""

import numpy as np
import pytest
import torch
from torch import nn

from anyorder.acting.imagination import given, imagine
from anyorder.acting.policy import ModelPolicy
from anyorder.acting.stepwise import StepwisePolicy
from anyorder.elements.batch import Batch
from anyorder.elements.grid import collate, encode
from anyorder.envs.minigrid import View
from anyorder.evaluation.imagined import Prefix
from anyorder.inference.decoding import ByConfidence, SinglePass, decide_all
from anyorder.masking.strategies import ForwardDynamics, NextObservation


class Oracle(nn.Module):
    """Answers every question of a known trajectory with its true values, recognised by its mission."""

    max_frames = None

    def __init__(self, trajectories, vocabulary):
        super().__init__()
        self.vocabulary, self.view = vocabulary, trajectories[0].observations.shape[1:3]
        self.truth = {t.mission: encode(t, vocabulary).frames for t in trajectories}

    def forward(self, values, layout, order):
        shape = layout.grid
        true = torch.zeros_like(values)
        for frames, mission in zip(shape.frames(true), layout.missions):
            known = self.truth[mission][: len(frames)]
            frames[: len(known)] = known
        return torch.nn.functional.one_hot(true[order.targets], len(self.vocabulary)) * 50.0


@pytest.fixture(scope="module")
def model(make_model, vocabulary):
    return make_model((7, 7), vocabulary)


def prefixes(trajectories):
    return [Prefix(trajectory, start) for trajectory, start in zip(trajectories, (0, 2, 1, 3))]


def same(one, other):
    assert np.array_equal(one.observations, other.observations) and np.array_equal(one.directions, other.directions)
    assert np.array_equal(one.actions, other.actions)
    np.testing.assert_allclose(one.probability, other.probability, rtol=1e-5)


def test_a_model_that_knows_the_future_imagines_it(make_trajectory, make_model):
    trajectories = [make_trajectory(6, seed=seed, mission=name) for seed, name in enumerate(("go to", "ball", "the"))]
    oracle = Oracle(trajectories, make_model().vocabulary)
    begun = [Prefix(trajectory, start) for trajectory, start in zip(trajectories, (0, 3, 1))]
    found = imagine(oracle, [p.history(oracle) for p in begun], given([p.actions(3) for p in begun]), 3)
    for row, prefix in enumerate(begun):
        future = slice(prefix.start + 1, prefix.start + 4)
        assert np.array_equal(found.observations[row], prefix.trajectory.observations[future])
        assert np.array_equal(found.directions[row], prefix.trajectory.directions[future])
    assert (found.probability > 0.999).all()


def test_one_step_is_the_forward_dynamics_of_training(model, trajectories, vocabulary):
    prefix = Prefix(trajectories[0], 2)
    found = imagine(model, [prefix.history(model)], given([prefix.actions(1)]), 1)
    batch = Batch(*collate([encode(trajectories[0], vocabulary)], 7, 7))
    of_step_3 = (batch.layout.step == 3)[0]
    for strategy in (ForwardDynamics(), NextObservation()):  # all steps in one pass, true values of the past
        order = strategy(batch.layout, torch.Generator())
        logits, here = model(batch.values, batch.layout, order).detach(), of_step_3[order.targets[0]]
        torch.testing.assert_close(found.logits[0, 0], logits[here])
        _, expected = decide_all(model, batch, order, logits)
        np.testing.assert_allclose(found.probability[0, 0], expected[here].numpy(), rtol=1e-5)


def test_what_was_imagined_is_seen_by_the_next_step(model, trajectories):
    prefix = Prefix(trajectories[0], 1)
    two = imagine(model, [prefix.history(model)], given([prefix.actions(2)]), 2)
    history = prefix.history(model)
    history.act(int(prefix.actions(1)[0]))
    history.observe(View(two.observations[0, 0], int(two.directions[0, 0]), history.mission))
    by_hand = imagine(model, [history], given([prefix.actions(2)[1:]]), 1)
    assert np.array_equal(two.observations[:, 1:], by_hand.observations)
    torch.testing.assert_close(two.logits[:, 1:], by_hand.logits)
    truly = imagine(model, [Prefix(trajectories[0], 2).history(model)], given([prefix.actions(2)[1:]]), 1)
    assert not torch.equal(two.logits[:, 1:], truly.logits), "the true observation was not shown"
    assert len(two.histories[0]) == 4
    assert torch.equal(two.histories[0].encoded().frames[:2], history.encoded().frames[:2])


def test_the_histories_given_stay_as_they_are(model, trajectories):
    history = Prefix(trajectories[0], 2).history(model)
    before = history.encoded().frames.clone()
    imagine(model, [history, history], given([[0, 1], [2, 2]]), 2)
    assert torch.equal(history.encoded().frames, before)


def test_together_or_one_by_one(model, trajectories, monkeypatch):
    begun = prefixes(trajectories)
    histories, actions = [p.history(model) for p in begun], np.stack([p.actions(3) for p in begun])
    together = imagine(model, histories, given(actions), 3)
    monkeypatch.setattr("anyorder.acting.policy.FRAMES_PER_PASS", 1)
    same(together, imagine(model, histories, given(actions), 3))
    for row in range(len(begun)):
        alone = imagine(model, histories[row : row + 1], given(actions[row : row + 1]), 3)
        assert np.array_equal(alone.observations[0], together.observations[row])
        np.testing.assert_allclose(alone.probability[0], together.probability[row], rtol=1e-5)


def test_actions_can_come_from_the_model_itself(model, trajectories):
    begun = prefixes(trajectories)
    whole, stepwise = ModelPolicy(model), StepwisePolicy(model)
    found = imagine(model, [p.history(model) for p in begun], lambda h, number: whole.actions(h), 3)
    again = imagine(model, [p.history(model) for p in begun], given(found.actions), 3)
    same(found, again)
    first = whole.actions([p.history(model) for p in begun])
    assert found.actions[:, 0].tolist() == first
    remembered = [stepwise.start(p.trajectory.mission) for p in begun]
    for history, prefix in zip(remembered, begun):
        for step in range(prefix.start + 1):
            if step:
                history.act(int(prefix.trajectory.actions[step - 1]))
            history.observe(View(prefix.trajectory.observations[step], int(prefix.trajectory.directions[step]), ""))
    same(found, imagine(model, remembered, lambda h, number: stepwise.actions(h), 3))


def test_draws_follow_the_generator_and_the_distribution(model, trajectories):
    history = Prefix(trajectories[0], 1).history(model)
    draw = lambda seed, **how: imagine(  # noqa: E731
        model, [history] * 200, given([[2]] * 200), 1, SinglePass(**how), torch.Generator().manual_seed(seed)
    )
    one, again, other = (draw(seed, temperature=1.0) for seed in (1, 1, 2))
    same(one, again)
    assert not np.array_equal(one.observations, other.observations)
    probabilities = one.logits[0, 0, -1].double().softmax(dim=-1)
    first = model.vocabulary.offsets[3]
    shares = np.bincount(one.directions[:, 0], minlength=4) / 200
    np.testing.assert_allclose(shares, probabilities[first : first + 4].detach(), atol=4 * (0.25 / 200) ** 0.5)


def test_a_decoder_of_several_passes_has_no_logits_and_decides_everything(model, trajectories):
    history = Prefix(trajectories[0], 1).history(model)
    found = imagine(model, [history], given([[2]]), 1, ByConfidence(num_passes=3))
    single = imagine(model, [history], given([[2]]), 1)
    assert found.logits is None and single.logits is not None
    assert not np.allclose(found.probability, single.probability)
    assert (found.observations < np.array([11, 6, 4])).all()


def test_cells_that_cannot_be_trusted_are_not_read(model, trajectories):
    def answer(image):
        history = ModelPolicy(model).start(trajectories[0].mission)
        unknown = np.zeros((7, 7), bool)
        unknown[2, 3] = True
        history.observe(View(image, int(trajectories[0].directions[0]), ""), unknown)
        return imagine(model, [history], given([[2]]), 1).logits

    image = trajectories[0].observations[0]
    hidden, seen = image.copy(), image.copy()
    hidden[2, 3] = (image[2, 3] + 1) % (11, 6, 4)
    seen[3, 3] = (image[3, 3] + 1) % (11, 6, 4)
    assert torch.equal(answer(image), answer(hidden))
    assert not torch.equal(answer(image), answer(seen))


def test_at_least_one_step(model, trajectories):
    with pytest.raises(ValueError, match="at least 1 step; found 0"):
        imagine(model, [Prefix(trajectories[0], 0).history(model)], given([[]]), 0)
