"""How long BabyAI's bot takes, to stand beside an agent."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from anyorder.data.episodes import ExpertSource
from anyorder.errors import AnyOrderError
from anyorder.types import Trajectory

MOST_EPISODES = 100
"""The bot plays the first so many seeds."""
BOT_TIME_LIMIT = 1.0
"""Seconds for one of its episodes; it usually takes some milliseconds, and in a few levels forever."""


def bot_length(env_id: str, seeds: Sequence[int]) -> float | None:
    """Mean number of actions of the bot's successful episodes on the first `MOST_EPISODES` of the seeds; None where it
    succeeds in none, as outside of BabyAI, where there is no bot."""
    source = ExpertSource(env_id, time_limit=BOT_TIME_LIMIT, num_processes=1)
    try:
        lengths = [len(one) for one in source(seeds[:MOST_EPISODES]) if isinstance(one, Trajectory) and one.success]
    except AnyOrderError:  # it plays BabyAI only
        return None
    return float(np.mean(lengths)) if lengths else None
