"""Which trajectories each update sees, fixed by the seed before the first one runs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import count, islice

from anyorder.config import TrainingConfig
from anyorder.elements.batch import Budget, EncodedData
from anyorder.elements.layout import Layout
from anyorder.seeding import stream


def plan_updates(data: EncodedData[Layout], budget: Budget, config: TrainingConfig) -> list[list[list[int]]]:
    """For every update, its batches; for every batch, the indices of its trajectories. A number of updates is filled
    with as many passes over the data as it takes, the last one cut short."""
    epochs = count() if config.num_updates is not None else range(config.num_epochs)
    batches = (batch for epoch in epochs for batch in data.shuffled(budget, stream(config.seed, "batches", epoch)))
    return list(islice(_in_groups(batches, config.accumulation), config.num_updates))


def _in_groups(batches: Iterator[list[int]], size: int) -> Iterator[list[list[int]]]:
    while group := list(islice(batches, size)):
        yield group


def learning_rate_factor(update: int, num_updates: int, warmup_updates: int, floor: float = 0.02) -> float:
    """Linear warm-up, then a cosine from 1 down to ``floor``; a function of the update alone."""
    warmup = min(warmup_updates, num_updates // 10)
    if update < warmup:
        return (update + 1) / warmup
    progress = (update - warmup) / max(1, num_updates - warmup)
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress))
