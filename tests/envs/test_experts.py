"""Experts act as their docstrings say, from the episode's seed alone."""

import numpy as np
import pytest

from anyorder.data.episodes import play_episode
from anyorder.envs.experts import EXPERTS, make_expert
from anyorder.envs.fast_bot import FastBot
from anyorder.envs.minigrid import NUM_ACTIONS, make_env
from anyorder.errors import AnyOrderError

ENV_ID = "BabyAI-GoToRedBall-v0"


def play(expert, seeds, env_id=ENV_ID):
    env = make_env(env_id)
    return [play_episode(env, expert, seed, time_limit=10) for seed in seeds]


def test_the_bot_succeeds():
    assert all(trajectory.success for trajectory in play(make_expert("bot"), range(20)))


@pytest.mark.parametrize(("name", "noise"), [("bot", 0.0), ("noisy_bot", 0.3), ("random", 0.0)])
def test_actions_depend_on_the_seed_alone(name, noise):
    expert = make_expert(name, noise)
    forth, back = play(expert, [1, 2, 3]), play(expert, [3, 2, 1])[::-1]
    assert [t.actions.tolist() for t in forth] == [t.actions.tolist() for t in back]


def test_noisy_bot_departs_from_its_plan_at_the_promised_share(monkeypatch):
    suggested, taken_by_replan = [], []
    replan = FastBot.replan

    def recording(self, action_taken=None):
        taken_by_replan.append(action_taken)
        suggested.append(int(replan(self, action_taken)))
        return suggested[-1]

    monkeypatch.setattr(FastBot, "replan", recording)
    trajectories = play(make_expert("noisy_bot", 0.4), range(60), "BabyAI-GoToRedBallNoDists-v0")  # no boxes to open
    actions = np.concatenate([trajectory.actions for trajectory in trajectories])
    share = 0.4 * (1 - 1 / NUM_ACTIONS)  # a uniform draw may hit the suggestion
    deviations = (np.array(suggested) != actions).sum() - share * len(actions)
    assert abs(deviations) < 4 * np.sqrt(len(actions) * share * (1 - share))
    told = [None if a is None else int(a) for a in taken_by_replan]
    really = [action for t in trajectories for action in [None, *t.actions[:-1].tolist()]]
    assert told == really, "the bot replans from the action that was really taken"


def test_random_is_uniform_over_all_actions():
    actions = np.concatenate([t.actions for t in play(make_expert("random"), range(60))])
    expected = len(actions) / NUM_ACTIONS
    assert (abs(np.bincount(actions, minlength=NUM_ACTIONS) - expected) < 4 * np.sqrt(expected)).all()


def test_random_stays_within_a_smaller_action_space():
    (trajectory,) = play(make_expert("random"), [0], "MiniGrid-Dynamic-Obstacles-5x5-v0")
    assert trajectory.actions.max() < 3


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(AnyOrderError, match="'oracle'.*bot, noisy_bot, random"):
        make_expert("oracle")
    assert list(EXPERTS) == ["bot", "noisy_bot", "random", "expert", "noisy_expert", "gold", "noisy_gold"]


@pytest.mark.parametrize(("name", "noise"), [("bot", 0.1), ("random", 0.1), ("noisy_bot", 0.0), ("noisy_bot", 1.5)])
def test_a_noise_that_does_not_go_with_the_name_is_refused(name, noise):
    with pytest.raises(AnyOrderError, match="noise"):
        make_expert(name, noise)


@pytest.mark.parametrize(("name", "noise"), [("bot", 0.0), ("noisy_bot", 0.3)])
def test_the_bot_plays_babyai_only(name, noise):
    with pytest.raises(AnyOrderError, match="MiniGrid-Empty-5x5-v0.*BabyAI-.*'random'"):
        play(make_expert(name, noise), [0], "MiniGrid-Empty-5x5-v0")
