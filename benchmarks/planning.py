"""Does planning help? Plays the same episodes with and without it, and tries to reach goals that were never trained.

Run with ``python benchmarks/planning.py CHECKPOINT [NUM_EPISODES [NUM_GOALS [FIRST_SEED]]]``, on a checkpoint whose
mixture has next_action and next_observation. Settings were chosen on seeds 31,000,000 and above.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import torch
from scipy.stats import binomtest

from anyorder.acting.planning import GoalMatch, Novelty, Objective, Planner, Search, Sum, Tried, UniformPolicy
from anyorder.acting.policy import ModelPolicy
from anyorder.acting.rollout import FIRST_SEED, finished, roll_out
from anyorder.acting.stepwise import StepwisePolicy
from anyorder.build.checkpoints import load_model
from anyorder.envs import minigrid
from anyorder.envs.minigrid import View
from anyorder.evaluation.statistics import Proportion
from anyorder.models.grid.grid_transformer import GridTransformer

DEFAULTS = (1000, 100, FIRST_SEED)
EPISODES_AT_ONCE = 500
MOVES_AWAY, MOVES_ALLOWED = 3, 6
TO_A_GOAL = Search(weight=50.0, num_actions=3, depth=MOVES_AWAY, num_samples=12, certain=1.1)


def main() -> None:
    torch.set_num_threads(1)
    model, header = load_model(Path(sys.argv[1]))
    numbers = [int(number) for number in sys.argv[2:]]
    num_episodes, num_goals, first = [*numbers, *DEFAULTS[len(numbers) :]]
    print(f"{num_episodes} episodes and {num_goals} goals of {header['env_id']}, seeds from {first:,}")
    compare_success(model, header["env_id"], range(first, first + num_episodes))
    compare_goals(model, header["env_id"], range(first, first + num_goals))


def compare_success(model: GridTransformer, env_id: str, seeds: range) -> None:
    """Print success at the mission, and paired differences from the plain policy of the same temperature."""
    for temperature in (0.0, 1.0):
        plain = play("plain policy", StepwisePolicy(model, temperature), env_id, seeds)
        outcomes = {"imagined novelty": Novelty(), "tried before": Tried(), "both": Sum((Novelty(), Tried()))}
        for name, outcome in outcomes.items():
            planned = play(name, planner(model, outcome, temperature), env_id, seeds)
            better, worse = int((planned & ~plain).sum()), int((plain & ~planned).sum())
            p = binomtest(better, better + worse).pvalue if better + worse else 1.0
            print(f"{'':20s} against plain: {better} won, {worse} lost, p = {p:.4f} (exact McNemar)")


def planner(model: GridTransformer, outcome: Objective, temperature: float) -> Planner:
    return Planner(StepwisePolicy(model), outcome, temperature=temperature)


def play(name: str, policy: ModelPolicy, env_id: str, seeds: range) -> np.ndarray:
    """Play one episode per seed and print the share that succeeded; returns bool ``[N]``, the success of each."""
    started = time.perf_counter()
    played = []
    for start in range(0, len(seeds), EPISODES_AT_ONCE):
        played += roll_out(policy, env_id, seeds[start : start + EPISODES_AT_ONCE])
    success = np.array([trajectory.success for trajectory in played])
    length = np.mean([len(trajectory) for trajectory in finished(played)])
    share = Proportion(int(success.sum()), len(success))
    seconds = time.perf_counter() - started
    print(f"{name:20s} T={policy.temperature:.0f} {share}, mean length {length:.2f}, {seconds:.0f} s", flush=True)
    return success


def compare_goals(model: GridTransformer, env_id: str, seeds: range) -> None:
    """Print how often the view after a few random moves is reached, whatever the mission says."""
    goals = {seed: random_goal(env_id, seed) for seed in seeds}
    arms = {
        "plain policy": lambda goal, seed: ModelPolicy(model),
        "uniform": lambda goal, seed: UniformPolicy(model, seed=seed),
        "planned, its own": lambda goal, seed: Planner(ModelPolicy(model, 3.0, seed), GoalMatch(goal), TO_A_GOAL),
        "planned, uniform": lambda goal, seed: Planner(UniformPolicy(model, seed=seed), GoalMatch(goal), TO_A_GOAL),
    }
    for name, make in arms.items():
        started = time.perf_counter()
        reached = sum(reaches(make(goal, seed), env_id, seed, goal) for seed, goal in goals.items())
        seconds = time.perf_counter() - started
        print(f"{name:20s} reached {Proportion(reached, len(goals))}, {seconds:.0f} s", flush=True)


def random_goal(env_id: str, seed: int) -> View:
    """The view after `MOVES_AWAY` random moves (left, right, forward), drawn until it differs from the views before it."""
    generator, env = np.random.default_rng([seed, 3]), minigrid.make_env(env_id)
    while True:
        views, over = [minigrid.reset(env, seed)], False
        for action in generator.integers(3, size=MOVES_AWAY).tolist():
            observation, _, terminated, _, _ = env.step(action)
            views.append(minigrid.read_view(observation))
            over |= terminated
        if not over and not any(np.array_equal(view.image, views[-1].image) for view in views[:-1]):
            return views[-1]


def reaches(policy: ModelPolicy, env_id: str, seed: int, goal: View) -> bool:
    """True if the goal's view is seen within `MOVES_ALLOWED` moves."""
    env = minigrid.make_env(env_id)
    view = minigrid.reset(env, seed)
    history = policy.start(view.mission)
    history.observe(view)
    for _ in range(MOVES_ALLOWED):
        (action,) = policy.actions([history])
        observation, _, terminated, _, _ = env.step(action)
        view = minigrid.read_view(observation)
        history.act(action)
        history.observe(view)
        if np.array_equal(view.image, goal.image):
            return True
        if terminated:
            return False
    return False


if __name__ == "__main__":
    main()
