"""When a run looks up from its updates: signals and the clock are looked at after every update, or soon."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from accelerate import Accelerator

from anyorder.processes import STOPPING

SECONDS_UNHEARD = 2.0
"""About so long may processes that compute together go on before they agree on whether to stop."""


class Stopped(BaseException):
    """The user or the scheduler asked to stop, in a block that may be left at any moment. Not an Exception, so that no code in
    the block takes it for a fault of its own."""


class StopSignal:
    """Whether this process was asked to stop; a second Ctrl-C stops at once."""

    def __init__(self) -> None:
        self.received: list[int] = []
        self._may_leave = False

    def __bool__(self) -> bool:
        return bool(self.received)

    @contextmanager
    def leaving(self) -> Iterator[None]:
        """A block that ends in `Stopped` as soon as this process is asked to stop. It must change nothing."""
        try:
            self._may_leave = True
            if self:
                raise Stopped
            yield
        finally:
            self._may_leave = False

    def note(self, number: int, frame: Any) -> None:
        """What happens on a signal."""
        if number == signal.SIGINT and number in self.received:
            raise KeyboardInterrupt
        self.received.append(number)
        if self._may_leave:
            self._may_leave = False
            raise Stopped


@contextmanager
def stop_signal() -> Iterator[StopSignal]:
    """Notes in the block whether the user or the scheduler asks to stop."""
    stop = StopSignal()
    before = {number: signal.signal(number, stop.note) for number in STOPPING}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Pauses:
    """After which updates to look up. A single process does after each. Several have to agree, which costs an exchange, so
    they do at least after every ``most`` updates, and more often if updates are slow.

    Args:
        accelerator: of the run.
        done: number of updates that are done.
        total: number of updates of the run.
        most: the number of updates after which there is a pause in any case.
        save_seconds: how often the state is to be saved.
    """

    def __init__(self, accelerator: Accelerator, done: int, total: int, most: int, save_seconds: float) -> None:
        self._accelerator, self._total, self._most, self._save_seconds = accelerator, total, most, save_seconds
        self._next, self._last = done + 1, done
        self._looked_at = self._saved_at = time.monotonic()

    def is_regular(self, done: int) -> bool:
        """Whether records are written after this update, whatever the clock says."""
        return done % self._most == 0 or done == self._total

    def is_due(self, done: int) -> bool:
        """Whether to look up after this update; all processes say the same."""
        return done >= self._next or self.is_regular(done)

    def agree(self, done: int, stop: bool) -> tuple[bool, bool]:
        """Whether to stop and whether to save, the same in all processes: if any of them wants it."""
        now = time.monotonic()
        late = now - self._saved_at > self._save_seconds
        if self._accelerator.num_processes == 1:
            self._next = done + 1
            return stop, late
        mine = torch.tensor([float(stop), float(late), now - self._looked_at], device=self._accelerator.device)
        stopping, saving, seconds = self._accelerator.reduce(mine, "sum").tolist()
        per_update = seconds / self._accelerator.num_processes / (done - self._last)
        self._next = done + max(1, min(self._most, int(SECONDS_UNHEARD / max(per_update, 1e-9))))
        self._last, self._looked_at = done, now
        return stopping > 0, saving > 0

    def saved(self) -> None:
        """The state was saved just now."""
        self._saved_at = time.monotonic()
