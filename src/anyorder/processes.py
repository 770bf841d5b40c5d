"""Worker processes. They are asked to stop when this process is, and none of them outlives it.

They start afresh (spawn), since a fork of a process that has threads may wait for ever. They are reached through pipes alone,
so that nothing of them is left on the machine, however they end.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
import traceback
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from anyorder.errors import AnyOrderError

STOPPING = (signal.SIGINT, signal.SIGTERM)
"""With which a user and a scheduler ask a process to stop."""
SECONDS_TO_END = 10.0
"""So long a process that was asked to stop may clean up before it heeds a further request."""
CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""Where a Linux container finds how much processor time it may use."""


class WorkerDied(Exception):
    """A worker ended without an answer: it was killed, or something in it ended the process."""


class WorkerFailed(Exception):
    """A bug in a worker. The message is the worker's traceback."""


class WorkerStopped(Exception):
    """A worker was asked to stop in the middle of an item."""


class Worker:
    """A process that calls a function on what it is given, one after the other.

    Args:
        function: picklable; what it returns must be so, too.
    """

    def __init__(self, function: Callable[[Any], Any]) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, pickle.dumps(function)))
        resource_tracker.ensure_running()  # otherwise the first start does this, and lets the signals go
        with signals_held():  # a process that starts is known before this one is asked to stop, and is ready to be asked, too
            self._process.start()
        theirs.close()

    def give(self, item: Any) -> None:
        """Let the worker begin with an item after those that it was given before."""
        with suppress(OSError):  # it died; `answer` says so
            self.connection.send(item)

    def answer(self) -> Any:
        """What the function returned for the next item; waits for it.

        Raises:
            AnyOrderError, OSError: what the function raised.
            WorkerStopped: when it was asked to stop first.
            WorkerFailed: when it raised anything else.
            WorkerDied: when the process ended first.
        """
        try:
            returned, raised = self.connection.recv()
        except (EOFError, OSError):
            self._process.join()
            status = self._process.exitcode
            if not status:  # it was asked to stop between two steps
                raise WorkerStopped from None
            how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
            raise WorkerDied(f"process {self._process.pid} {how}") from None
        if raised is not None:
            raise raised
        return returned

    def ask_to_stop(self) -> None:
        """What it works on gets a KeyboardInterrupt; training saves its state first."""
        if self._process.is_alive():
            self._process.terminate()

    def end(self, grace: float | None) -> None:
        """Ask the worker to stop, and wait for its end; kill it after so many seconds, or when this process is interrupted."""
        self.ask_to_stop()
        self.connection.close()  # it would wait for the next item
        try:
            self._process.join(grace)
        finally:
            self._process.kill()
            self._process.join()


def share_out(
    function: Callable[[Any], Any], items: Sequence[Any], num_processes: int, ahead: int = 1
) -> Generator[tuple[int, Any], None, None]:
    """The number of each item and what the function returned for it, in any order, as soon as it is there.

    For an item whose worker died it is the `WorkerDied`; that costs no other item. When this process is interrupted, or the
    caller stops reading and closes the iterator, the workers are asked to stop, and are waited for.

    Args:
        function: called in worker processes; picklable.
        items: picklable.
        num_processes: how many workers.
        ahead: how many items a worker holds, so that it need not wait for the next one.

    Raises:
        KeyboardInterrupt: when a worker was asked to stop, by whomever.
        Whatever else `Worker.answer` raises, but for `WorkerDied`.
    """
    waiting = deque(range(len(items)))
    held: dict[Worker, deque[int]] = {}

    def fill(worker: Worker) -> None:
        while waiting and len(held[worker]) < ahead:
            held[worker].append(waiting.popleft())
            worker.give(items[held[worker][-1]])

    def start() -> None:
        worker = Worker(function)
        held[worker] = deque()
        fill(worker)

    try:
        while waiting or any(held.values()):
            while waiting and len(held) < num_processes:
                start()
            busy = [worker for worker, numbers in held.items() if numbers]
            for worker in ready_workers(busy):
                number = held[worker].popleft()
                try:
                    result = worker.answer()
                except WorkerDied as died:
                    waiting.extendleft(reversed(held.pop(worker)))
                    result = died
                except WorkerStopped:
                    raise KeyboardInterrupt from None
                else:
                    fill(worker)
                yield number, result
    finally:
        end_workers(list(held))


def ready_workers(workers: Sequence[Worker], seconds: float | None = None) -> list[Worker]:
    """Those that have an answer, or died; waits for the first, at most so many seconds."""
    ready = wait([worker.connection for worker in workers], seconds)
    return [worker for worker in workers if worker.connection in ready]


def end_workers(workers: Sequence[Worker], grace: float | None = None) -> None:
    """Ask all of them to stop, and wait for their end; kill them after so many seconds, or when this process is interrupted."""
    for worker in workers:
        worker.ask_to_stop()
    try:
        for worker in workers:
            worker.end(grace)
    except BaseException:
        for worker in workers:
            worker.end(0)
        raise


@contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """In the block, being asked to stop by a scheduler (SIGTERM) raises a KeyboardInterrupt, as Ctrl-C does. Only once within
    `SECONDS_TO_END`, since a scheduler may send it more than once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _interrupting())
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupting() -> Callable[[int, Any], None]:
    """A handler of signals that raises a KeyboardInterrupt. Python may lose one, as when it is raised while an object is
    destroyed; so who asks again later is heard."""
    raised = -math.inf

    def interrupt(number: int, frame: Any) -> None:
        nonlocal raised
        if time.monotonic() - raised > SECONDS_TO_END:
            raised = time.monotonic()
            raise KeyboardInterrupt

    return interrupt


@contextmanager
def signals_held() -> Iterator[None]:
    """In the block, this process is not asked to stop; right after it, it is."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(connection: Connection, pickled: bytes) -> None:
    """What a worker does. The function comes as bytes: to load it may import torch, which takes seconds, and the parent may end
    meanwhile."""
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent asks its workers to stop
    warnings.filterwarnings("ignore")  # as the command line does in its own process
    signal.signal(signal.SIGTERM, _interrupting())
    function = pickle.loads(pickled)
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)  # the parent held them while it started this process
        while True:
            outcome = _outcome(function, connection.recv())
            with signals_held():  # what is done is done
                _reply(connection, *outcome)
    except (KeyboardInterrupt, EOFError, OSError):  # asked to stop between two items, or the parent has ended
        pass
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(0)  # not the usual end, whose cleanup may wait for a process that itself waits for this one


def _reply(connection: Connection, returned: Any, raised: BaseException | None) -> None:
    try:
        connection.send((returned, raised))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        connection.send((None, WorkerFailed(f"an answer must be picklable; found another ({error})")))


def _outcome(function: Callable[[Any], Any], item: Any) -> tuple[Any, BaseException | None]:
    try:
        return function(item), None
    except (AnyOrderError, OSError) as error:
        return None, error.with_traceback(None)
    except KeyboardInterrupt:
        return None, WorkerStopped()
    except BaseException as error:
        return None, WorkerFailed("".join(traceback.format_exception(error)))


def end_with_parent() -> None:
    """From now on, this process ends as soon as the one that started it does. Files are written whole or not at all, so nothing
    is left half done."""
    parent, started_by = multiprocessing.parent_process(), os.getppid()

    def watch() -> None:
        if parent is not None:
            parent.join()  # returns at once if it has ended already, when this process has another parent
        while parent is None and os.getppid() == started_by:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def num_cores() -> int:
    """How many processors this process may use, at least 1."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with suppress(OSError, ValueError):
        quota, period = CPU_QUOTA.read_text().split()
        if quota != "max":
            usable = min(usable, math.ceil(int(quota) / int(period)))
    return max(1, usable)
