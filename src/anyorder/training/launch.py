"""Several processes for one training run on a CPU.

On idle cores, processes are about as fast as threads. Beside other busy programs, threads wait for one another and are
slow; processes do not (docs/lab_notes.md has the figures)."""

from __future__ import annotations

import os
import signal
import socket
import warnings
from collections.abc import Callable
from multiprocessing.queues import SimpleQueue

import torch
from torch.multiprocessing import ProcessExitedException, ProcessRaisedException, get_context, start_processes

from anyorder.errors import AnyOrderError

MOST_PROCESSES = 4
"""Batches on a CPU are small, so more processes would spend more time waiting for one another than computing."""

GRACE_SECONDS = 10.0
"""Seconds that the other processes have to end by themselves when one process fails."""


def launch(function: Callable[[], object], num_processes: int | None, num_threads: int | None) -> None:
    """Run ``function`` in ``num_processes`` processes, which Accelerate joins to one run; one process is this one.

    Inside ``accelerate launch`` or ``torchrun`` the processes exist already, so the function runs in each of them as it is.

    Args:
        function: picklable.
        num_processes: how many; None: one per core up to `MOST_PROCESSES`, or one if there is a GPU.
        num_threads: torch threads of each process; None divides the cores among the processes.

    Raises:
        AnyOrderError: the first error that a process raised, or when a process died.
        KeyboardInterrupt: when the user interrupts before a process could save its state.
    """
    if num_processes is None:
        num_processes = 1 if torch.cuda.is_available() else min(MOST_PROCESSES, _cores())
    threads = num_threads or max(1, _cores() // num_processes)
    if num_processes == 1 or "WORLD_SIZE" in os.environ:
        torch.set_num_threads(threads)
        _run_and_leave(function)
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    os.environ["OMP_NUM_THREADS"] = str(threads)
    failures = get_context("spawn").SimpleQueue()
    interrupted: list[int] = []

    def stop(number: int, frame: object) -> None:
        """On Ctrl-C, ask the children to stop, so that they save their state if they have one; a second time, kill them."""
        interrupted.append(number)
        for child in children.processes:
            child.kill() if len(interrupted) > 1 else child.terminate()

    # Ctrl-C is blocked while the children start, so that it waits for `stop`. They inherit the block, so only `stop` reacts.
    before = signal.getsignal(signal.SIGINT)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        given = (function, num_processes, threads, port, failures)
        children = start_processes(_child, given, num_processes, join=False, start_method="spawn")
        signal.signal(signal.SIGINT, stop)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
        while not children.join(grace_period=GRACE_SECONDS):
            pass
    except (ProcessExitedException, ProcessRaisedException) as error:
        if not failures.empty():
            raise failures.get() from None
        if interrupted:
            raise KeyboardInterrupt from None
        if isinstance(error, ProcessRaisedException):
            raise
        message = f"training stopped: {error} (out of memory?); continue with the same command and --resume"
        raise AnyOrderError(message) from None
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
        signal.signal(signal.SIGINT, before)


def _child(rank: int, function: Callable[[], object], world: int, threads: int, port: int, failures: SimpleQueue) -> None:
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
    warnings.filterwarnings("ignore")  # as the command line does in its own process
    try:
        _run_and_leave(function)
    except (AnyOrderError, OSError, KeyboardInterrupt) as error:
        failures.put(error)
        os._exit(2)  # not sys.exit, whose cleanup may wait for a process that itself waits for this one


def _run_and_leave(function: Callable[[], object]) -> None:
    """Run the function, then leave the process group that it joined, if any.

    When the function returns, a thread of the group may still have to call Python; if Python ended meanwhile, that would
    abort the process. Leaving the group waits for the thread."""
    function()
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
