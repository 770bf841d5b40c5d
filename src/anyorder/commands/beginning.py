"""What ``anyorder imagine`` does alike for every kind of episode."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from jsonargparse import Namespace

from anyorder.errors import AnyOrderError
from anyorder.evaluation.beginnings import BeginningT, RecordedT
from anyorder.files import write_result


def shown_beginning(
    begin: Callable[[RecordedT, int], BeginningT], trajectories: Sequence[RecordedT], chosen: Namespace
) -> BeginningT:
    """The beginning of the episode that is shown.

    Raises:
        AnyOrderError: where there is no such episode, or step of it.
    """
    if not 0 <= chosen.episode < len(trajectories):
        raise AnyOrderError(f"episode must lie between 0 and {len(trajectories) - 1} in this split; found {chosen.episode}")
    try:
        return begin(trajectories[chosen.episode], chosen.start)
    except ValueError as error:
        raise AnyOrderError(str(error)) from None


def write_imagined(chosen: Namespace, folder: Path, path: Path, num_episodes: int, **found: Any) -> None:
    """Write ``imagined.json``; ``path`` is the folder of the data."""
    result = {"data": str(path), "split": chosen.split, "num_episodes": num_episodes, "seed": chosen.seed}
    write_result(folder / "imagined.json", result | found)
