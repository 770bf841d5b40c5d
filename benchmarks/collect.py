"""Prints how many episodes per second `collect` plays and writes: the bot on BabyAI-GoToRedBall-v0, 1 and 2 processes."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from anyorder.data.collect import CollectSpec, collect

NUM_EPISODES = 3_000


def main() -> None:
    spec = CollectSpec(num_episodes=NUM_EPISODES, num_validation=0, num_test=0)
    for num_processes in (1, 2):
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            collect(Path(folder) / "data", spec, num_processes=num_processes)
            seconds = time.perf_counter() - start
        print(f"{num_processes} processes: {NUM_EPISODES / seconds:,.0f} episodes/s, starting them included")


if __name__ == "__main__":
    main()
