"""Which trajectories each update sees, fixed by the seed before the first one runs."""

from __future__ import annotations

import math

from anyorder.config import TrainingConfig
from anyorder.data.batch import EncodedTrajectories
from anyorder.seeding import stream


def plan_updates(data: EncodedTrajectories, config: TrainingConfig) -> list[list[list[int]]]:
    """For every update, its batches; for every batch, the indices of its trajectories."""
    batches = [
        batch
        for epoch in range(config.num_epochs)
        for batch in data.shuffled(config.frames_per_batch, stream(config.seed, "batches", epoch))
    ]
    return [batches[i : i + config.accumulation] for i in range(0, len(batches), config.accumulation)]


def learning_rate_factor(update: int, num_updates: int, warmup_updates: int, floor: float = 0.02) -> float:
    """Linear warm-up, then a cosine from 1 down to ``floor``; a function of the update alone."""
    warmup = min(warmup_updates, num_updates // 10)
    if update < warmup:
        return (update + 1) / warmup
    progress = (update - warmup) / max(1, num_updates - warmup)
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress))
