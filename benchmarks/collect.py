"""Prints how many episodes of the bot one core plays per second of CPU time, in a plain loop over MiniGrid's environment and
bot and in this package, level by level; the same for steps of random actions; then how many episodes `collect` writes.

The two play the same seeds in turns, a block of seconds each; the ratio is the median over the blocks. ``--little`` takes
seconds."""

from __future__ import annotations

import argparse
import contextlib
import io
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from anyorder.data.collect import CollectSpec, collect
from anyorder.data.episodes import play_episode
from anyorder.envs.experts import make_expert, uniform
from anyorder.envs.minigrid import make_env

import gymnasium as gym  # isort: skip  (after envs.minigrid, which silences what these imports print)
from minigrid.utils.baby_ai_bot import BabyAIBot  # isort: skip

LEVELS = ("GoToRedBall", "GoToLocal", "GoTo", "PickupLoc", "PutNextLocal", "UnlockPickup", "KeyCorridor", "Synth", "BossLevel")
GRIDS = ("MiniGrid-Empty-8x8-v0", "MiniGrid-DoorKey-8x8-v0", "MiniGrid-MultiRoom-N6-v0", "BabyAI-BossLevel-v0")
STEPS = 100  # of each episode of random actions


def seconds_of(work: Callable[[int], object], seeds: Sequence[int]) -> float:
    start = time.process_time()
    for seed in seeds:
        work(seed)
    return time.process_time() - start


def compare(plain: Callable[[int], object], ours: Callable[[int], object], block: float, num_blocks: int) -> tuple[float, ...]:
    """Episodes per CPU second of both, and the median of the ratios; both play all seeds, one block after the other."""
    number = max(2, round(block * 2 / seconds_of(plain, range(2))))  # from a first look, which also fills the caches
    seconds_of(ours, range(number))
    pairs = []
    for first in range(number, number * (num_blocks + 1), number):
        seeds = range(first, first + number)
        pairs.append((seconds_of(plain, seeds), seconds_of(ours, seeds)))
    rates = [number / statistics.median(times) for times in zip(*pairs)]
    return (*rates, statistics.median(theirs / mine for theirs, mine in pairs))


def plain_episode(env: gym.Env, seed: int) -> None:
    """Only what cannot be left out: the environment, its bot, and lists of what happened."""
    with contextlib.redirect_stdout(io.StringIO()):
        observation, _ = env.reset(seed=seed)
    bot, observations, actions, over = BabyAIBot(env), [observation], [], False
    while not over:
        actions.append(bot.replan())
        observation, _, terminated, truncated, _ = env.step(actions[-1])
        observations.append(observation)
        over = terminated or truncated


def random_episode(env: gym.Env, seed: int) -> None:
    """Random actions, as a rollout steps: reset and steps alone."""
    with contextlib.redirect_stdout(io.StringIO()):
        env.reset(seed=seed)
    act = uniform(env, seed)
    for _ in range(STEPS):
        env.step(act(None))


def demonstrations(block: float, num_blocks: int) -> None:
    print(f"{'the bot':<28}{'plain loop':>12}{'ours':>12}{'ratio':>8}   episodes per CPU second")
    bot = make_expert("bot")
    for level in LEVELS:
        env_id = f"BabyAI-{level}-v0"
        plain = partial(plain_episode, gym.make(env_id, disable_env_checker=True))
        ours = partial(lambda env, seed: play_episode(env, bot, seed, time_limit=60), make_env(env_id))
        print("{:<28}{:>12,.0f}{:>12,.0f}{:>8.2f}".format(level, *compare(plain, ours, block, num_blocks)), flush=True)


def environments(block: float, num_blocks: int) -> None:
    print(f"\n{'random actions':<28}{'MiniGrid':>12}{'ours':>12}{'ratio':>8}   steps per CPU second, resets included")
    for env_id in GRIDS:
        plain = partial(random_episode, gym.make(env_id, disable_env_checker=True))
        *rates, ratio = compare(plain, partial(random_episode, make_env(env_id)), block, num_blocks)
        print("{:<28}{:>12,.0f}{:>12,.0f}{:>8.2f}".format(env_id, *(STEPS * rate for rate in rates), ratio), flush=True)


def data_set(num_episodes: int) -> None:
    print()
    spec = CollectSpec(num_episodes=num_episodes, num_validation=0, num_test=0)
    for num_processes in (1, 2):
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            collect(Path(folder) / "data", spec, num_processes=num_processes)
            seconds = time.perf_counter() - start
        print(f"collect, {num_processes} processes: {num_episodes / seconds:,.0f} episodes/s, starting them included")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--little", action="store_true", help="a first impression, in seconds")
    block, num_blocks, num_episodes = (0.1, 3, 200) if parser.parse_args().little else (1.0, 9, 3_000)
    demonstrations(block, num_blocks)
    environments(block, num_blocks)
    data_set(num_episodes)


if __name__ == "__main__":
    main()
