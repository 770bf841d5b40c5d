"""The general model acts in any environment: what it knows, what it answers, how its episodes are played."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces

from anyorder.acting.field_policy import FieldHistory, FieldPolicy, next_action_order
from anyorder.acting.field_rollout import roll_out_fields
from anyorder.config import ElementModelConfig
from anyorder.elements.fields import EncodedFieldData, collate_fields
from anyorder.elements.fitting import fit_spec
from anyorder.elements.layout import Kind
from anyorder.envs.experts import make_expert
from anyorder.envs.recording import FieldEpisode
from anyorder.envs.spaces import ACTION, OBSERVATION, flatten
from anyorder.errors import AnyOrderError
from anyorder.masking.order import Role, imitate
from anyorder.models.element.element_transformer import ElementTransformer
from anyorder.types import FieldTrajectory


def played(env, seed, most=20):
    """A random episode, or its beginning."""
    episode = FieldEpisode(env, env.spec.id, seed)
    act = make_expert("random")(env, seed)
    while not episode.over and len(episode.actions) < most:
        episode.step(act(episode.views[-1]))
    return episode.trajectory()


@pytest.fixture(scope="module")
def cart():
    return gym.make("CartPole-v1")


@pytest.fixture(scope="module")
def episodes(cart):
    return [played(cart, seed) for seed in range(5)]


@pytest.fixture(scope="module")
def model(cart, episodes):
    torch.manual_seed(0)
    spec = fit_spec(cart.observation_space, cart.action_space, episodes)
    return ElementTransformer(ElementModelConfig(width=16, num_layers=2, num_heads=2, max_frames=8), spec).eval()


def history_of(model, episode, length, most=None):
    history = FieldHistory(model.spec, episode.mission, most)
    for step in range(length):
        history.observe({path: array[step] for path, array in episode.observations.items()})
        if step < length - 1:
            history.act({path: array[step] for path, array in episode.actions.items()})
    return history


def test_a_policy_answers_what_training_asks(cart, episodes, model):
    """The next action after each step equals that of the training order, in which all are asked at once."""
    episode = episodes[0]
    batch = EncodedFieldData([episode], model.spec).batch([0])
    with torch.no_grad():
        at_once = model(batch.values, batch.layout, imitate(batch.layout))
    policy = FieldPolicy(model, cart.action_space)
    logits = policy.logits([history_of(model, episode, length + 1) for length in range(len(episode))])
    assert torch.allclose(logits[:, 0].nan_to_num(), at_once.nan_to_num(), atol=1e-5)


def test_a_history_keeps_the_last_frames(model, episodes):
    kept = history_of(model, episodes[0], 8, most=3)
    assert len(kept) == 3 and kept.encoded().num_actions == 3
    whole = history_of(model, episodes[0], 8)
    assert torch.equal(kept.encoded().frames, whole.encoded().frames[-3:])


def test_what_an_agent_is_told_not_to_trust_is_hidden(model, episodes):
    history = history_of(model, episodes[0], 4)
    history.hidden[1][0] = True
    batch = collate_fields([history.encoded()], model.spec)
    order = next_action_order(batch.layout, [history])
    frames = batch.layout.frame_shape.frames(order.roles)[0]
    assert frames[1, 0] == Role.HIDDEN and (frames == Role.HIDDEN).sum() == 1
    kinds = batch.layout.frame_shape.frames(batch.layout.kind)[0]
    assert (frames[:-1][kinds[:-1] == Kind.ACTION] == Role.CONTEXT).all() and order.targets.sum() == 1


def test_real_and_nested_actions_come_back_in_their_space():
    observed, acted = (
        spaces.Box(-1, 1, (2,)),
        spaces.Dict(arm=spaces.Box(-2, 2, (3,), np.float64), grip=spaces.Discrete(3, start=5)),
    )
    rng = np.random.default_rng(0)

    def episode(seed):
        observations = {"observation": rng.normal(size=(6, 2)).astype(np.float32)}
        actions = {"action/arm": rng.uniform(-2, 2, (5, 3)), "action/grip": rng.integers(5, 8, 5)}
        ends = np.arange(5) == 4
        return FieldTrajectory(
            env_id="Made-v0",
            seed=seed,
            observations=observations,
            actions=actions,
            rewards=rng.random(5),
            terminations=ends,
            truncations=~ends & False,
        )

    episodes = [episode(seed) for seed in range(4)]
    spec = fit_spec(observed, acted, episodes)
    model = ElementTransformer(ElementModelConfig(width=16, num_layers=1, num_heads=2), spec).eval()
    for temperature in (0.0, 1.0):
        policy = FieldPolicy(model, acted, temperature)
        (action,) = policy.actions([history_of(model, episodes[0], 3)])
        assert acted.contains(action)
    answers = torch.full((1, 4, spec.size), -30.0)
    for entry in range(3):
        answers[0, entry, 3 + entry] = 30.0
    answers[0, 3, 2] = 30.0
    policy = FieldPolicy(model, acted)
    policy.logits = lambda histories: answers
    (action,) = policy.actions([None])
    bins = [spec.fields[spec.names.index(f"action/arm/{i}")].values for i in range(3)]
    assert np.allclose(action["arm"], [one.recorded(np.array(3 + i)) for i, one in enumerate(bins)], atol=1e-3)
    assert action["grip"] == 7 and flatten(acted, action, ACTION).keys() == {"action/arm", "action/grip"}


def test_episodes_depend_on_their_seed_alone(cart, model):
    policy = FieldPolicy(model, cart.action_space)
    seeds = range(30_000_000, 30_000_005)
    together = roll_out_fields(policy, "CartPole-v1", seeds, slots=3)
    alone = [roll_out_fields(policy, "CartPole-v1", [seed])[0] for seed in seeds]
    for one, other in zip(together, alone):
        assert one.seed == other.seed and np.array_equal(one.observations[OBSERVATION], other.observations[OBSERVATION])
        assert np.array_equal(one.actions[ACTION], other.actions[ACTION])


def test_percepts_reach_the_agent_and_not_the_record(cart, model):
    def blind(record, generator):
        return {path: np.zeros_like(array) for path, array in record.items()}, None

    policy = FieldPolicy(model, cart.action_space)
    (episode,) = roll_out_fields(policy, "CartPole-v1", [30_000_000], perceive=blind)
    assert len(set(episode.actions[ACTION][1:].tolist())) >= 1 and np.ptp(episode.observations[OBSERVATION]) > 0


def test_an_environment_with_other_actions_is_refused(cart, model):
    with pytest.raises(AnyOrderError, match="must have the action space of the training data.*found Discrete"):
        roll_out_fields(FieldPolicy(model, cart.action_space), "MountainCar-v0", [30_000_000])
