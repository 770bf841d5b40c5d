"""Into which split an imported episode goes: a hash of what it belongs to decides, not the other episodes."""

from __future__ import annotations

import hashlib

from anyorder.errors import AnyOrderError


def check_shares(validation: float, test: float) -> None:
    """Raise an AnyOrderError unless both are shares that leave something to train on."""
    if min(validation, test) < 0 or not validation + test < 1:
        raise AnyOrderError(f"validation and test must be shares with a sum below 1; found {validation} and {test}")


def share_of(task: str, seed: int) -> float:
    """A number in [0, 1) that a hash makes of a task and a seed; it decides the task's split."""
    digest = hashlib.sha256(f"{seed}\n{task}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def split_by_share(task: str, seed: int, validation: float, test: float) -> str:
    """The split of everything that belongs to a task."""
    share = share_of(task, seed)
    if share < test:
        return "test"
    return "validation" if share < test + validation else "train"
