"""Several processes for one training run on a CPU.

On idle cores, processes are about as fast as threads. Beside other busy programs, threads wait for one another and are
slow; processes do not (docs/lab_notes.md has the figures)."""

from __future__ import annotations

import math
import os
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch

from anyorder.errors import AnyOrderError, Interrupted
from anyorder.processes import (
    Worker,
    WorkerDied,
    WorkerFailed,
    WorkerStopped,
    end_with_parent,
    end_workers,
    num_cores,
    ready_workers,
)

MOST_PROCESSES = 4
"""Batches on a CPU are small, so more processes would spend more time waiting for one another than computing."""

GRACE_SECONDS = 10.0
"""Seconds that the other processes have to end by themselves when one process fails."""


def launch(function: Callable[[], object], num_processes: int | None, num_threads: int | None) -> None:
    """Run ``function`` in ``num_processes`` processes, which Accelerate joins to one run; one process is this one.

    When this process is asked to stop, it asks the others to, so that they save their state if they have one; a second
    Ctrl-C kills them. Inside ``accelerate launch`` or ``torchrun`` the processes exist already, so the function runs in each
    of them as it is.

    Args:
        function: picklable.
        num_processes: how many; None: one per core up to `MOST_PROCESSES`, or one if there is a GPU.
        num_threads: torch threads of each process; None divides the cores among the processes.

    Raises:
        AnyOrderError: the first error that a process raised, or when a process died.
        KeyboardInterrupt: when the user interrupts before a process could save its state.
    """
    if num_processes is None:
        num_processes = 1 if torch.cuda.is_available() else min(MOST_PROCESSES, num_cores())
    threads = num_threads or max(1, num_cores() // num_processes)
    if num_processes == 1 or "WORLD_SIZE" in os.environ:
        torch.set_num_threads(threads)
        if "TORCHELASTIC_RUN_ID" in os.environ:
            end_with_parent()
        _run_and_leave(function)
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    os.environ["OMP_NUM_THREADS"] = str(threads)
    given = partial(_work_as, function, num_processes, threads, port)
    run = _Workers([], [])
    try:
        for rank in range(num_processes):
            run.workers.append(Worker(given))
            run.workers[-1].give(rank)
        run.wait()
    finally:
        end_workers(run.workers, GRACE_SECONDS if run.stopping < 2 else 0)
    if failure := run.failure():
        raise failure


@dataclass
class _Workers:
    """The other processes of a run, what they raised, and how often this process was asked to stop."""

    workers: list[Worker]
    failures: list[BaseException]
    stopping: int = 0

    def wait(self) -> None:
        """Wait until all have answered; once one failed or died, no longer than `GRACE_SECONDS`, since the others may wait for
        it for ever."""
        waiting, until = list(self.workers), math.inf
        while waiting and time.monotonic() < until:
            try:
                left = None if until == math.inf else max(0.0, until - time.monotonic())
                for worker in ready_workers(waiting, left):
                    waiting.remove(worker)
                    self._hear(worker)
                # Those that were interrupted have saved their state, and the first process may still write it.
                if until == math.inf and not all(isinstance(failure, Interrupted) for failure in self.failures):
                    until = time.monotonic() + GRACE_SECONDS
                    self._ask_to_stop(waiting)
            except KeyboardInterrupt:
                self.stopping += 1
                if self.stopping > 1:
                    raise
                self._ask_to_stop(waiting)

    def failure(self) -> BaseException | None:
        """What the user is told; None if all went well."""
        if not self.failures:
            return None
        saved = [failure for failure in self.failures if isinstance(failure, Interrupted)]
        if self.stopping or isinstance(self.failures[0], WorkerStopped):  # somebody asked all of them, or only that one
            return saved[0] if saved else KeyboardInterrupt()
        for failure in self.failures:
            if isinstance(failure, WorkerDied):
                return AnyOrderError(
                    f"training stopped: {failure} (out of memory?); continue with the same command and --resume"
                )
        return self.failures[0]

    def _hear(self, worker: Worker) -> None:
        try:
            worker.answer()
        except (AnyOrderError, OSError, WorkerDied, WorkerFailed, WorkerStopped) as failure:
            self.failures.append(failure)

    @staticmethod
    def _ask_to_stop(workers: Sequence[Worker]) -> None:
        for worker in workers:
            worker.ask_to_stop()


def _work_as(function: Callable[[], object], world: int, threads: int, port: int, rank: int) -> None:
    """What each of the processes does."""
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(world),
        "LOCAL_WORLD_SIZE": str(world),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "ACCELERATE_USE_CPU": "true",
    }
    torch.set_num_threads(threads)
    _run_and_leave(function)


def _run_and_leave(function: Callable[[], object]) -> None:
    """Run the function, then leave the process group that it joined, if any.

    When the function returns, a thread of the group may still have to call Python; if Python ended meanwhile, that would
    abort the process. Leaving the group waits for the thread."""
    function()
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
