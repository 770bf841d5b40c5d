"""How much a training learns from, in numbers that show whether arms are matched."""

from __future__ import annotations

from typing import Any

import numpy as np

from anyorder.masking.order import Role
from anyorder.seeding import stream
from anyorder.training.plan import plan_updates
from anyorder.training.trainer import Job

NUM_SAMPLED = 100


def effort(job: Job[Any]) -> dict[str, float]:
    """How much a whole training learns from.

    Returns:
        ``updates``; ``trajectories`` and their ``frames`` (or ``tokens``), each counted as often as it is seen;
        ``elements_per_update``, those that are not DROPPED, and ``targets_per_update``. The last two are means over
        `NUM_SAMPLED` evenly spaced updates, with the orders that the training draws there.
    """
    plan = plan_updates(job.train, job.budget, job.config)
    seen = [trajectory for update in plan for batch in update for trajectory in batch]
    sampled = sorted(set(np.linspace(0, len(plan) - 1, NUM_SAMPLED).round().astype(int).tolist()))
    counts = np.array([_elements_and_targets(job, plan, update) for update in sampled])
    elements, targets = counts.mean(axis=0).tolist()
    return {
        "updates": len(plan),
        "trajectories": len(seen),
        job.budget.counted_in: sum(job.train.lengths[trajectory] for trajectory in seen),
        "elements_per_update": elements,
        "targets_per_update": targets,
    }


def _elements_and_targets(job: Job[Any], plan: list[list[list[int]]], update: int) -> tuple[int, int]:
    strategy = job.strategy_at(update / max(1, len(plan) - 1))
    elements = targets = 0
    for number, index in enumerate(plan[update]):
        order = strategy(job.train.batch(index).layout, stream(job.config.seed, "order", update, number))
        elements += int((order.roles != Role.DROPPED).sum())
        targets += int(order.targets.sum())
    return elements, targets
