"""Episodes are recorded whole, replayable, and never last longer than their limit."""

import signal
import threading
import time

import numpy as np
import pytest

from anyorder.data.episodes import ExpertSource, play_episode
from anyorder.data.manifest import Failure
from anyorder.envs.experts import make_expert
from anyorder.envs.minigrid import make_env, read_view, reset
from anyorder.errors import AnyOrderError
from anyorder.types import Trajectory

ENV_ID = "BabyAI-GoToRedBall-v0"


@pytest.mark.parametrize(
    ("env_id", "policy"), [(ENV_ID, "bot"), ("BabyAI-OpenDoor-v0", "bot"), ("MiniGrid-DoorKey-5x5-v0", "random")]
)
def test_replaying_the_actions_reproduces_the_episode(env_id, policy):
    env, replay = make_env(env_id), make_env(env_id)
    for seed in range(3):
        trajectory = play_episode(env, make_expert(policy), seed, time_limit=10)
        assert len(trajectory.observations) == len(trajectory.directions) == len(trajectory) + 1
        views, rewards = [reset(replay, seed)], []
        for action in trajectory.actions:
            observation, reward, terminated, truncated, _ = replay.step(int(action))
            views.append(read_view(observation))
            rewards.append(reward)
        assert np.array_equal([view.image for view in views], trajectory.observations)
        assert [view.direction for view in views] == trajectory.directions.tolist()
        assert {view.mission for view in views} == {trajectory.mission}
        assert np.array_equal(np.array(rewards, np.float32), trajectory.rewards)
        assert (terminated, truncated) == (trajectory.terminated, trajectory.truncated)


def test_an_episode_without_success_is_a_trajectory():
    trajectory = play_episode(make_env("BabyAI-OpenDoorsOrderN4Debug-v0"), make_expert("bot"), 0, time_limit=10)
    assert trajectory.terminated and not trajectory.success


def test_an_exception_is_a_failure_with_its_name_and_message():
    def broken(env, seed):
        raise RuntimeError("no plan")

    assert play_episode(make_env(ENV_ID), broken, 3, time_limit=10) == Failure(3, "RuntimeError: no plan")
    failure = play_episode(make_env("BabyAI-KeyInBox-v0"), make_expert("bot"), 0, time_limit=10)
    assert failure.reason.startswith("AssertionError: assert ")  # without a message: the line that failed


def loops(env, seed):
    while True:
        pass


def swallows(env, seed):
    while True:
        try:
            while True:
                pass
        except Exception:
            pass


@pytest.mark.parametrize("policy", [loops, swallows, lambda env, seed: lambda view: 6])
def test_the_time_limit_ends_every_episode(policy):
    env, handler, start = make_env(ENV_ID), signal.getsignal(signal.SIGALRM), time.monotonic()
    limit = 0.05 if policy in (loops, swallows) else 1e-6
    assert play_episode(env, policy, 0, limit) == Failure(0, "time limit")
    assert time.monotonic() - start < 5
    assert signal.getsignal(signal.SIGALRM) is handler and signal.getitimer(signal.ITIMER_REAL) == (0, 0)
    assert play_episode(env, make_expert("bot"), 0, 10).success, "the environment is usable afterwards"


def test_the_bots_endless_loop_is_cut():
    failure = play_episode(make_env("BabyAI-GoToImpUnlock-v0"), make_expert("bot"), 6, time_limit=0.5)
    assert failure == Failure(6, "time limit")


def test_another_thread_is_refused():
    errors = []

    def run():
        try:
            play_episode(make_env(ENV_ID), make_expert("bot"), 0, 1)
        except AnyOrderError as error:
            errors.append(str(error))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert "main thread" in errors[0]


def test_several_processes_yield_the_same_in_the_same_order():
    seeds = range(100, 150)
    one = list(ExpertSource(ENV_ID, "noisy_bot", 0.4, num_processes=1)(seeds))
    two = list(ExpertSource(ENV_ID, "noisy_bot", 0.4, num_processes=2)(seeds))
    assert [result.seed for result in two] == list(seeds)
    assert {type(result) for result in one} == {Trajectory, Failure}
    for ours, theirs in zip(one, two):
        if isinstance(ours, Failure):
            assert ours == theirs
        else:
            assert np.array_equal(ours.actions, theirs.actions)
            assert np.array_equal(ours.observations, theirs.observations)


def test_mistakes_show_in_every_number_of_processes():
    for num_processes in (1, 2):
        with pytest.raises(AnyOrderError, match="no environment"):
            ExpertSource("BabyAI-Nothing-v0", num_processes=num_processes)(range(40))
        with pytest.raises(AnyOrderError, match="level must be one of BabyAI"):
            list(ExpertSource("MiniGrid-Empty-5x5-v0", num_processes=num_processes)(range(40)))


def test_outside_the_main_thread_another_process_plays():
    """Time is kept by a signal, which reaches main threads only."""
    seeds, found = range(3), []
    thread = threading.Thread(target=lambda: found.extend(ExpertSource(ENV_ID, num_processes=1)(seeds)))
    thread.start()
    thread.join(60)
    here = list(ExpertSource(ENV_ID, num_processes=1)(seeds))
    assert [episode.actions.tolist() for episode in found] == [episode.actions.tolist() for episode in here]
