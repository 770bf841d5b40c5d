"""How often a model reaches a state that it is shown, the last observation of an expert's episode, without being told the wish.

Legend: F frames, P' numbers of an observation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from anyorder.acting.field_goals import FieldGoal, FieldGoalPolicy
from anyorder.acting.field_rollout import roll_out_fields
from anyorder.data.episodes import ExpertSource
from anyorder.data.manifest import Failure
from anyorder.elements.fields import encode_fields, frame_columns
from anyorder.elements.grid_fields import fields_of_grid
from anyorder.elements.layout import Kind
from anyorder.elements.spec import Bins, Spec
from anyorder.evaluation.field_acting import mean_of, success_of
from anyorder.evaluation.statistics import Measured, Proportion
from anyorder.types import FieldTrajectory, Trajectory


@dataclass(frozen=True)
class FieldGoalScore:
    """How well goals were reached.

    Attributes:
        num_goals: how many.
        success: share of the episodes that succeeded, as the environment judges by the wish that the agent was not told; None
            where it says nothing of success.
        nearest: how near the goal the agent came: mean over episodes of the smallest root mean square distance from the
            numbers of the goal, in standard deviations; None where there are no numbers.
        mean_length: mean number of actions.
        expert_length: mean number of actions of the expert whose last observations are the goals: the steps in which the agent
            is to reach them.
        num_left_out: number of seeds without a goal, because the expert failed.
        seeds: first and last.
    """

    num_goals: int
    success: Proportion | None
    nearest: Measured | None
    mean_length: Measured
    expert_length: Measured
    num_left_out: int
    seeds: tuple[int, int]


def reach_field_goals(
    policy: FieldGoalPolicy,
    env_id: str,
    seeds: Sequence[int],
    on_finish: Callable[[], None] | None = None,
    on_failure: Callable[[Failure], None] = lambda failure: None,
) -> FieldGoalScore | None:
    """Let the expert of an environment play every seed, then let the model reach the expert's last observation in as many
    steps.

    Args:
        policy: of a model that was trained on `goal_conditioned` orders.
        env_id: of an environment whose expert is known.
        seeds: of the episodes.
        on_finish: called once per finished episode.
        on_failure: called with each of the model's episodes that failed; it counts as one that reached nothing.

    Returns:
        The score, or None if the expert succeeded on no seed, or every episode of the model failed.

    Raises:
        AnyOrderError: for an environment without a known expert.
    """
    played = [
        fields_of_grid(one) if isinstance(one, Trajectory) else one
        for one in ExpertSource(env_id, "expert", num_processes=1)(seeds)
    ]
    shown = [one for one in played if isinstance(one, FieldTrajectory) and one.success is not False]
    if not shown:
        return None
    goals = [last_state(one) for one in shown]
    found = roll_out_fields(
        policy,
        env_id,
        [one.seed for one in shown],
        on_finish=on_finish,
        begin=lambda number, mission: policy.towards(goals[number]),
    )
    for one in found:
        if isinstance(one, Failure):
            on_failure(one)
    pairs = [(one, shown[i]) for i, one in enumerate(found) if isinstance(one, FieldTrajectory)]
    if not pairs:
        return None
    distances = [_nearest(one, expert, policy.model.spec) for one, expert in pairs]
    return FieldGoalScore(
        num_goals=len(shown),
        success=success_of(found),
        nearest=None if None in distances else mean_of([one for one in distances if one is not None]),
        mean_length=mean_of([len(one) for one, _ in pairs]),
        expert_length=mean_of([len(one) for one in shown]),
        num_left_out=len(seeds) - len(shown),
        seeds=(seeds[0], seeds[-1]),
    )


def last_state(trajectory: FieldTrajectory) -> FieldGoal:
    """Where a trajectory ended, and when."""
    return FieldGoal({path: array[-1] for path, array in trajectory.observations.items()}, len(trajectory))


def _nearest(played: FieldTrajectory, shown: FieldTrajectory, spec: Spec) -> float | None:
    goal = _observed_numbers(shown, spec)[-1]
    if not len(goal):
        return None
    return float((_observed_numbers(played, spec) - goal).square().mean(dim=1).sqrt().min())


def _observed_numbers(trajectory: FieldTrajectory, spec: Spec) -> Tensor:
    """float32 ``[F, P']``, in standard deviations."""
    columns = frame_columns(spec)
    real = torch.tensor([isinstance(one.values, Bins) for one in spec.fields])[columns.attribute]
    return encode_fields(trajectory, spec).frame_numbers[:, real & (columns.kind == Kind.OBSERVATION)]
