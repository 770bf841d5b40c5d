"""Views with holes: how much of its success a policy keeps when cells are hidden from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from anyorder.envs.minigrid import View
from anyorder.evaluation.rollout import Perceive, Percept, roll_out
from anyorder.evaluation.statistics import Proportion
from anyorder.policy import Policy
from anyorder.types import Trajectory

UNSEEN = (0, 0, 0)
"""How MiniGrid shows a cell that the agent cannot see."""


def occlusion(rate: float, declared: bool) -> Perceive:
    """Hide each cell of each view independently with probability ``rate``; mission and direction stay.

    The draws come from the episode's own generator: equal seeds give equal holes, declared or not, and those of a
    lower rate are among those of a higher one.

    Args:
        rate: 0..1.
        declared: False: the cells look unseen, and the agent is not told. True: it is told as well, and treats them
            as hidden.
    """
    if not 0.0 <= rate <= 1.0:
        raise ValueError(f"an occlusion rate is the hidden share of the cells, between 0 and 1; found {rate}")

    def perceive(view: View, generator: np.random.Generator) -> Percept:
        holes = generator.random(view.image.shape[:2]) < rate
        shown = np.where(holes[..., None], np.array(UNSEEN, dtype=view.image.dtype), view.image)
        return Percept(replace(view, image=shown), holes if declared else None)

    return perceive


@dataclass(frozen=True)
class RobustnessScore:
    """Success with and without holes, on the same seeds.

    Attributes:
        rate: share of the cells that was hidden.
        declared: True if the agent was told which.
        seeds: first and last of both arms.
        clean, occluded: success of the two arms.
        share_kept: occluded / clean success rate; None if there was no clean success to keep.
    """

    rate: float
    declared: bool
    seeds: tuple[int, int]
    clean: Proportion
    occluded: Proportion
    share_kept: float | None


def success(trajectories: Sequence[Trajectory]) -> Proportion:
    """The share of episodes that succeeded."""
    return Proportion(sum(trajectory.success for trajectory in trajectories), len(trajectories))


def compare(
    policy: Policy,
    clean: Sequence[Trajectory],
    rate: float,
    declared: bool,
    on_finish: Callable[[], None] | None = None,
) -> RobustnessScore:
    """Play the clean arm's environment and seeds again, with holes.

    Args:
        policy: the one that played ``clean``.
        clean: its episodes without holes, all of one environment.
        rate, declared: see `occlusion`.
        on_finish: called once per finished episode.
    """
    seeds = [trajectory.seed for trajectory in clean]
    occluded = success(roll_out(policy, clean[0].env_id, seeds, occlusion(rate, declared), on_finish))
    before = success(clean)
    kept = occluded.rate / before.rate if before.successes else None
    return RobustnessScore(rate, declared, (seeds[0], seeds[-1]), before, occluded, kept)
