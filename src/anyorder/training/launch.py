"""Several processes for one training run on a CPU: two cores learn faster as two processes than as two threads."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable

import torch
from torch.multiprocessing import ProcessExitedException, start_processes

from anyorder.errors import AnyOrderError

MOST_PROCESSES = 4
"""Batches on a CPU are small; more processes would wait for one another longer than they compute."""


def launch(function: Callable[[], object], num_processes: int | None, num_threads: int | None) -> None:
    """Run ``function`` in ``num_processes`` processes that Accelerate joins to one run, or here if that is one.

    Inside ``accelerate launch`` or ``torchrun`` the processes exist already, and the function just runs.

    Args:
        function: picklable; an AnyOrderError is printed once and ends the program with status 2.
        num_processes: how many; None: one per core up to `MOST_PROCESSES`, or one if there is a GPU.
        num_threads: torch threads of each; None divides the cores.
    """
    if num_processes is None:
        num_processes = 1 if torch.cuda.is_available() else min(MOST_PROCESSES, _cores())
    threads = num_threads or max(1, _cores() // num_processes)
    if num_processes == 1 or "WORLD_SIZE" in os.environ:
        torch.set_num_threads(threads)
        function()
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    os.environ["OMP_NUM_THREADS"] = str(threads)
    # The children answer Ctrl-C by saving their state; the parent waits for them.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        start_processes(_child, (function, num_processes, threads, port), num_processes, start_method="spawn")
    except ProcessExitedException as error:
        sys.exit(error.exit_code if error.exit_code > 0 else 1)
    finally:
        signal.signal(signal.SIGINT, before)


def _child(rank: int, function: Callable[[], object], world: int, threads: int, port: int) -> None:
    os.environ |= {
        "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(world), "LOCAL_WORLD_SIZE": str(world),
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "ACCELERATE_USE_CPU": "true",
    }  # fmt: skip
    torch.set_num_threads(threads)
    try:
        function()
    except AnyOrderError as error:
        if rank == 0:
            print(f"anyorder: {error}", file=sys.stderr)
        os._exit(2)  # not sys.exit: the other process may be waiting in a collective


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
