"""Several processes for one training run on a CPU.

On quiet cores they are about as fast as threads; beside other busy programs threads starve one another, processes do
not (docs/lab_notes.md has the figures)."""

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
"""Batches on a CPU are small; more processes would wait for one another longer than they compute."""

GRACE_SECONDS = 10.0
"""When one process fails, how long the others have to end by themselves."""


def launch(function: Callable[[], object], num_processes: int | None, num_threads: int | None) -> None:
    """Run ``function`` in ``num_processes`` processes that Accelerate joins to one run, or here if that is one.

    Inside ``accelerate launch`` or ``torchrun`` the processes exist already, and the function just runs.

    Args:
        function: picklable.
        num_processes: how many; None: one per core up to `MOST_PROCESSES`, or one if there is a GPU.
        num_threads: torch threads of each; None divides the cores.

    Raises:
        AnyOrderError: the first one that a process raised, or that a process died.
        KeyboardInterrupt: a process did not get as far as saving its state.
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
        """Ctrl-C: tell the children, who save their state if they have one; the second time, end them."""
        interrupted.append(number)
        for child in children.processes:
            child.kill() if len(interrupted) > 1 else child.terminate()

    # Blocked while they start, so that it waits until `stop` can hear it; the children never hear it themselves.
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
        os._exit(2)  # not sys.exit: the other process may be waiting in a collective


def _run_and_leave(function: Callable[[], object]) -> None:
    """Run the function, then leave the process group that it joined, if any.

    A thread of the group may still have something to bring to Python when the function returns, and would abort the
    process if Python ended meanwhile; leaving waits for it."""
    function()
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
