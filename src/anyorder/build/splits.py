"""What is said about the splits of a data set, once, however many processes a run has; and what is refused of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from anyorder.data.manifest import read_manifest
from anyorder.errors import AnyOrderError, NothingUsable
from anyorder.types import Trajectory

_T = TypeVar("_T")


def say(text: str) -> None:
    """Print a line on stderr, in the main process of a run alone."""
    if os.environ.get("RANK", "0") == "0":
        print(text, file=sys.stderr)


def validation_split(folder: Path, read: Callable[[], _T]) -> _T | None:
    """What ``read`` makes of the validation split of the data set in a folder; None, and a line on stderr, if it has none, or
    one of which nothing can be used."""
    consequence = "so nothing chooses the best checkpoint: it is the last one"
    if "validation" not in read_manifest(folder).splits:
        say(f"{folder} has no validation split, {consequence}")
        return None
    try:
        return read()
    except NothingUsable as error:
        say(f"{error}; there is nothing to validate on, {consequence}")
        return None


def whole_grids(trajectories: Sequence[Trajectory], where: Path, reader: str) -> Sequence[Trajectory]:
    """The trajectories, if nothing of them is absent.

    Raises:
        AnyOrderError: in the name of ``reader``, which needs all of them.
    """
    if missing := sum(bool(one.absent) for one in trajectories):
        raise AnyOrderError(
            f"{reader} reads whole grids; found {missing:,} episodes with absent values in {where}; complete them with"
            " `anyorder fill`, or use other data"
        )
    return trajectories
