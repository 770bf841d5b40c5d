"""The trajectories and the learning rate of each update, fixed before the first update runs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import count, islice

from anyorder.config import MOST_BATCHES, TrainingConfig
from anyorder.elements.batch import Budget, EncodedData
from anyorder.elements.layout import Layout
from anyorder.errors import AnyOrderError
from anyorder.seeding import stream


def plan_updates(data: EncodedData[Layout], budget: Budget, config: TrainingConfig) -> list[list[list[int]]]:
    """For every update, its batches; for every batch, the indices of its trajectories. The seed alone decides them. If the
    configuration sets a number of updates, there are as many passes over the data as they need, and the last is cut short.

    Raises:
        AnyOrderError: for more than `MOST_BATCHES`.
    """
    epochs = count() if config.num_updates is not None else range(config.num_epochs)
    shuffled = (data.shuffled(budget, stream(config.seed, "batches", epoch)) for epoch in epochs)
    batches = _bounded(batch for epoch in shuffled for batch in epoch)
    return list(islice(_in_groups(batches, config.accumulation), config.num_updates))


def _bounded(batches: Iterator[list[int]]) -> Iterator[list[int]]:
    for number, batch in enumerate(batches):
        if number >= MOST_BATCHES:
            raise AnyOrderError(
                f"a training must have at most {MOST_BATCHES:,} batches; found more; lower training.num_epochs, or train in"
                " several runs with training.init_from"
            )
        yield batch


def _in_groups(batches: Iterator[list[int]], size: int) -> Iterator[list[list[int]]]:
    while group := list(islice(batches, size)):
        yield group


def learning_rate_factor(update: int, num_updates: int, warmup_updates: int, floor: float = 0.02) -> float:
    """The share of the peak learning rate at an update, in (0, 1]: linear warm-up, then a cosine from 1 down to ``floor``."""
    warmup = min(warmup_updates, num_updates // 10)
    if update < warmup:
        return (update + 1) / warmup
    progress = (update - warmup) / max(1, num_updates - warmup)
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress))
