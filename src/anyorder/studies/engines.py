"""What does independent pieces of work: the cores of this machine, or a cluster.

An :data:`Engine` is called as ``engine(work, items)`` and yields what ``work(item)`` returned, as soon as it is there and in
any order; for an item whose worker died (out of memory, a lost machine) it yields a `Lost`, and goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import joblib
from joblib.externals.loky.process_executor import TerminatedWorkerError

Work = Callable[[Any], Any]
Engine = Callable[[Work, Sequence[Any]], Iterator[Any]]


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
    """Processes of this machine, by joblib.

    Attributes:
        num_workers: how many items are worked on at a time; None: one per core; 1: one, in this process.
    """

    num_workers: int | None = None

    def __call__(self, work: Work, items: Sequence[Any]) -> Iterator[Any]:
        """See `Engine`. When a worker dies, joblib ends the others too. The items that were begun are then done again, one
        at a time, which shows the one whose worker dies."""
        waiting = dict(enumerate(items))
        while waiting:
            begun: list[int] = []
            try:
                for number, result in self._in_parallel(work, dict(waiting), begun):
                    del waiting[number]
                    yield result
            except TerminatedWorkerError:
                for number in [number for number in begun if number in waiting]:
                    yield self._alone(work, waiting.pop(number))

    def _in_parallel(self, work: Work, items: dict[int, Any], begun: list[int]) -> Iterator[tuple[int, Any]]:
        """Yields the number and the result of each item. Its number is appended to ``begun`` when a worker gets it; a worker
        gets one at a time."""

        def tasks() -> Iterator[Any]:
            for number, item in items.items():
                begun.append(number)
                yield joblib.delayed(_numbered)(work, number, item)

        number = self.num_workers or joblib.cpu_count()
        return joblib.Parallel(number, batch_size=1, pre_dispatch="n_jobs", return_as="generator_unordered")(tasks())

    @staticmethod
    def _alone(work: Work, item: Any) -> Any:
        try:
            return joblib.Parallel(2)([joblib.delayed(work)(item)])[0]  # with 1 it would run in this process
        except TerminatedWorkerError:
            return Lost(item, "its process was killed (out of memory?)")


def _numbered(work: Work, number: int, item: Any) -> tuple[int, Any]:
    return number, work(item)
