"""How many actions BabyAI's bot takes, as a yardstick for agents."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from anyorder.data.episodes import ExpertSource
from anyorder.errors import AnyOrderError
from anyorder.types import Trajectory

MOST_EPISODES = 100
"""The bot plays no more than this many of the seeds, the first ones."""
BOT_TIME_LIMIT = 1.0
"""Seconds that the bot may take for an episode; it usually takes some milliseconds, but in a few levels it never ends."""


def bot_length(env_id: str, seeds: Sequence[int]) -> float | None:
    """Mean number of actions of the bot's successful episodes on the first `MOST_EPISODES` of the seeds; None where it
    succeeds in none of them, and outside of BabyAI, where there is no bot."""
    source = ExpertSource(env_id, time_limit=BOT_TIME_LIMIT, num_processes=1)
    try:
        lengths = [len(one) for one in source(seeds[:MOST_EPISODES]) if isinstance(one, Trajectory) and one.success]
    except AnyOrderError:  # the bot plays BabyAI only
        return None
    return float(np.mean(lengths)) if lengths else None
