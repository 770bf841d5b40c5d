"""What does independent pieces of work: the cores of this machine, or a cluster.

An :data:`Engine` is called as ``engine(work, items)`` and yields what ``work(item)`` returned, as soon as it is there and in
any order; for an item whose worker died (out of memory, a lost machine) it yields a `Lost`, and goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from anyorder.processes import WorkerDied, num_cores, share_out

Work = Callable[[Any], Any]
Engine = Callable[[Work, Sequence[Any]], Generator[Any, None, None]]


@dataclass(frozen=True)
class Lost:
    """An item without a result.

    Attributes:
        item: what was worked on.
        reason: why there is no result, as far as that is known.
    """

    item: Any
    reason: str


@dataclass(frozen=True)
class Cores:
    """Processes of this machine. When it is interrupted, they are asked to stop, and are waited for.

    Attributes:
        num_workers: how many items are worked on at a time; None: one per core; 1: one, in this process.
    """

    num_workers: int | None = None

    def __call__(self, work: Work, items: Sequence[Any]) -> Generator[Any, None, None]:
        """See `Engine`."""
        number = min(self.num_workers or num_cores(), len(items))
        if self.num_workers == 1:
            yield from map(work, items)
            return
        with closing(share_out(work, items, number)) as results:
            for index, result in results:
                died = isinstance(result, WorkerDied)
                yield Lost(items[index], "its process was killed (out of memory?)") if died else result
