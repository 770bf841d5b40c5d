"""How often a model reaches a goal that it is shown, the last observation of an expert's episode, without the mission."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from anyorder.acting.goals import Goal, GoalPolicy
from anyorder.acting.rollout import failures_among, finished, roll_out
from anyorder.data.episodes import ExpertSource
from anyorder.data.manifest import Failure
from anyorder.envs.minigrid import View
from anyorder.evaluation.outcomes import success
from anyorder.evaluation.statistics import Proportion
from anyorder.models.contract import GridModel
from anyorder.types import Trajectory


@dataclass(frozen=True)
class GoalScore:
    """How well goals were reached.

    Attributes:
        success: share of the episodes that succeeded, as the environment judges by the mission that the agent was not told.
        seen: share of the episodes in which the agent at some time saw exactly the goal's view and direction.
        mean_length: mean number of actions.
        expert_length: mean number of actions of the expert whose last observations are the goals.
        num_left_out: number of seeds without a goal, because the expert failed.
        seeds: first and last.
    """

    success: Proportion
    seen: Proportion
    mean_length: float
    expert_length: float
    num_left_out: int
    seeds: tuple[int, int]


def reach_goals(
    model: GridModel,
    env_id: str,
    seeds: Sequence[int],
    temperature: float = 0.0,
    seed: int = 0,
    tried_penalty: float = 0.0,
    on_finish: Callable[[], None] | None = None,
    on_failure: Callable[[Failure], None] = lambda failure: None,
) -> GoalScore | None:
    """Let BabyAI's bot play every seed, then let the model reach the bot's last observation in as many steps.

    Args:
        model: trained on `goal_conditioned` orders.
        env_id: a BabyAI level.
        seeds: of the episodes.
        temperature, seed, tried_penalty: of the actions, see `SampledPolicy`.
        on_finish: called once per finished episode.
        on_failure: called with each of the model's episodes that failed; it counts as one that reached nothing.

    Returns:
        The score, or None if the bot succeeded on no seed, or every episode of the model failed.

    Raises:
        AnyOrderError: for an environment that is not of BabyAI, where there is no bot.
    """
    shown = [one for one in ExpertSource(env_id, num_processes=1)(seeds) if isinstance(one, Trajectory) and one.success]
    if not shown:
        return None
    policy = GoalPolicy(model, temperature, seed, tried_penalty)
    begins = [policy.towards(last_observation(one)) for one in shown]
    played = roll_out(policy, env_id, [one.seed for one in shown], on_finish=on_finish, begins=begins)
    for failure in failures_among(played):
        on_failure(failure)
    if not (ended := finished(played)):
        return None
    seen = sum(map(_was_seen, played, shown))
    return GoalScore(
        success(played),
        Proportion(seen, len(played)),
        float(np.mean([len(one) for one in ended])),
        float(np.mean([len(one) for one in shown])),
        len(seeds) - len(shown),
        (seeds[0], seeds[-1]),
    )


def last_observation(trajectory: Trajectory) -> Goal:
    """Where a trajectory ended, and when."""
    view = View(trajectory.observations[-1], int(trajectory.directions[-1]), trajectory.mission)
    return Goal(view, len(trajectory))


def _was_seen(played: Trajectory | Failure, shown: Trajectory) -> bool:
    if isinstance(played, Failure):
        return False
    same_view = (played.observations == shown.observations[-1]).all(axis=(1, 2, 3))
    return bool((same_view & (played.directions == shown.directions[-1])).any())
