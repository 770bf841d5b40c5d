"""An episode of any environment is recorded as it was: every value in its space's dtype, with what the environment says."""

import pickle

import gymnasium as gym
import numpy as np
import pytest
import toy_cards
from gymnasium import spaces

from anyorder.envs.episode import EpisodeFailed
from anyorder.envs.experts import make_expert
from anyorder.envs.making import begin_episode, make_environments
from anyorder.envs.recording import FieldEpisode, NotOfSpace, action_done, as_given, flat_record
from anyorder.envs.spaces import ACTION, OBSERVATION, leaves
from anyorder.errors import AnyOrderError

GYMNASIUMS = ["CartPole-v1", "FrozenLake-v1", "Blackjack-v1", "Pendulum-v1", "Acrobot-v1", "CliffWalking-v1"]


def played(env_id, expert=None, seed=0, steps=30):
    """The first steps of an episode, and what the environment gave and took in them."""
    (env,) = make_environments(env_id)
    seen, done = [], []

    class Witness(gym.Wrapper):
        def reset(self, **options):
            observation, info = super().reset(**options)
            seen.append(pickle.loads(pickle.dumps(observation)))
            return observation, info

        def step(self, action):
            done.append(pickle.loads(pickle.dumps(action)))
            observation, *rest = super().step(action)
            seen.append(pickle.loads(pickle.dumps(observation)))
            return observation, *rest

    episode = FieldEpisode(Witness(env), env_id, seed)
    act = (expert or make_expert("random"))(env, seed)
    while not episode.over and len(episode.actions) < steps:
        episode.step(act(episode.views[-1]))
    return episode, seen, done


@pytest.mark.parametrize("env_id", [*GYMNASIUMS, "Cards-v0"])
def test_the_record_has_what_the_environment_gave_and_took(env_id):
    episode, seen, done = played(env_id)
    trajectory = episode.trajectory()
    env = episode.env
    for root, arrays, values, space in (
        (OBSERVATION, trajectory.observations, seen, env.observation_space),
        (ACTION, trajectory.actions, done, env.action_space),
    ):
        assert list(arrays) == list(leaves(space, root))
        for time, value in enumerate(values):
            record = flat_record(space, value, root)
            for path, leaf in leaves(space, root).items():
                assert np.array_equal(arrays[path][time], record[path])
                assert isinstance(leaf, spaces.Text) or arrays[path].dtype == leaf.dtype
    assert trajectory.rewards.dtype == np.float64 and len(trajectory) == len(done)


def test_a_view_has_the_form_of_its_space():
    episode, seen, _ = played("Cards-v0")
    space = episode.env.observation_space
    assert all(space.contains(view) for view in episode.views) and len(episode.views) == len(seen) == 6
    assert [view["money"][0] for view in episode.views] == [one["money"][0] for one in seen]


def test_an_environment_that_uses_its_arrays_again_changes_nothing():
    trajectory = played("Cards-v0", toy_cards.play_well)[0].trajectory()
    assert trajectory.observations["money"][:, 0].tolist() == [0, 1, 2, 3, 4, 5]  # bets of 2 are brought into [0, 1]
    assert trajectory.actions["action/bet"][:, 0].tolist() == [1] * 5


def test_the_mission_and_success_are_the_environments():
    episode, _, _ = played("Cards-v0", toy_cards.play_well, seed=3)
    trajectory = episode.trajectory()
    assert trajectory.mission == episode.mission == episode.views[0]["mission"] and trajectory.mission.startswith("keep")
    assert trajectory.success is True and trajectory.terminations.tolist() == [False] * 4 + [True]
    wrong = {played("Cards-v0", seed=seed)[0].success for seed in range(10)}
    assert False in wrong


def test_without_a_word_success_is_gymnasiums_threshold_or_unknown():
    assert {played("FrozenLake-v1", seed=seed)[0].success for seed in range(60)} == {False, True}
    assert played("Silent-v0")[0].success is None and played("Blackjack-v1")[0].success is None


def test_missions_may_come_with_the_reset_and_texts_that_change_are_none():
    class Told(toy_cards.Silent):
        def reset(self, **options):
            return super().reset(**options)[0], {"mission": "win"}

    class Changing(toy_cards.Silent):
        def deal(self):
            return {**super().deal(), "mission": f"round {self.round}"}

    for env, expected in ((Told(), "win"), (Changing(), "")):
        episode = FieldEpisode(env, "x", 0)
        episode.step(env.action_space.sample())
        assert episode.trajectory().mission == expected


@pytest.mark.parametrize(
    ("leaf", "value", "message"),
    [
        (spaces.Discrete(3), 3, r"o must lie in Discrete\(3\); found 3"),
        (spaces.Discrete(3), 1.5, "o must have numbers of int64; found 1.5"),
        (spaces.Discrete(3), "1", "o must have numbers in the shape"),
        (spaces.MultiDiscrete([2, 2]), [1, 2], r"o must lie in MultiDiscrete"),
        (spaces.MultiBinary(2), [1, 2], r"o must lie in MultiBinary"),
        (spaces.Box(0, 255, (2,), np.uint8), np.array([256, 0]), "o must have numbers of uint8"),
        (spaces.Box(0, 1, (2,)), np.zeros(3), r"shape \[2\]; found float64 \[3\]"),
        (spaces.Text(5), 3, "o must be a text; found int"),
    ],
)
def test_what_is_not_of_its_space_is_refused(leaf, value, message):
    with pytest.raises(NotOfSpace, match=message):
        flat_record(spaces.Dict(o=leaf), {"o": value}, OBSERVATION)


@pytest.mark.parametrize("value", [3, {"b": 1}, None])
def test_another_form_is_refused(value):
    with pytest.raises(NotOfSpace, match="the observation must have the form of"):
        flat_record(spaces.Dict(o=spaces.Discrete(2)), value, OBSERVATION)


def test_actions_are_finite_and_within_their_bounds():
    space = spaces.Box(np.array([-1, -np.inf], np.float32), np.array([1, np.inf], np.float32))
    assert action_done(space, [3, 3])["action"].tolist() == [1, 3]
    with pytest.raises(NotOfSpace, match="action must have finite numbers"):
        action_done(space, [np.nan, 0])
    nest = spaces.Tuple([spaces.Discrete(2), spaces.Text(3)])
    assert as_given(nest, action_done(nest, (1, "yes")), ACTION) == (1, "yes")


def test_an_action_of_another_space_fails_the_episode():
    with pytest.raises(EpisodeFailed, match=r"seed 0 at step 0 failed \(the action must have the form of"):
        played("Cards-v0", toy_cards.play_nonsense)


def test_spaces_that_are_no_fields_are_refused():
    with pytest.raises(AnyOrderError, match=r"graph must be made of .*; found Graph; wrap"):
        make_environments("Graphs-v0")


def test_a_record_reaches_another_process():
    trajectory = played("Cards-v0")[0].trajectory()
    again = pickle.loads(pickle.dumps(trajectory))
    assert again.mission == trajectory.mission and not again.rewards.flags.writeable
    for path, array in trajectory.observations.items():
        assert np.array_equal(again.observations[path], array)


def test_minigrids_stay_grids_and_a_mixture_is_of_one_kind():
    (grid,) = make_environments("BabyAI-GoToRedBall-v0")
    assert begin_episode(grid, "BabyAI-GoToRedBall-v0", 0).views[0].image.shape == (7, 7, 3)
    with pytest.raises(AnyOrderError, match="image, direction and mission"):
        make_environments("BabyAI-GoToRedBall-v0+CartPole-v1")
    with pytest.raises(AnyOrderError, match="must have one observation space; found .* in CartPole-v1 and .* in Acrobot-v1"):
        make_environments("CartPole-v1+Acrobot-v1")
    assert len(make_environments("CartPole-v0+CartPole-v1")) == 2
