"""Which split a seed belongs to: training seeds lie in [0, 10M), validation seeds in [10M, 20M), test seeds in [20M, 30M), and
seeds of episodes that an agent plays start at 30M."""

from __future__ import annotations

from collections.abc import Mapping

SEEDS_PER_SPLIT = 10_000_000
SPLIT_OFFSETS = {"train": 0, "validation": SEEDS_PER_SPLIT, "test": 2 * SEEDS_PER_SPLIT}


def split_of_seed(seed: int) -> str:
    """The split that a seed belongs to. From 30M on it is the test split: an agent is tried on what it has not seen."""
    return list(SPLIT_OFFSETS)[min(seed // SEEDS_PER_SPLIT, len(SPLIT_OFFSETS) - 1)]


def task_variation(seed: int, variations: Mapping[str, int]) -> tuple[str, int]:
    """The split and the number of the task that a seed means, where an environment has a fixed list of tasks for each split.

    Args:
        seed: see `split_of_seed`.
        variations: split -> number of its tasks; a split's seeds go through them in turn.
    """
    split = split_of_seed(seed)
    return split, seed % SEEDS_PER_SPLIT % variations[split]
