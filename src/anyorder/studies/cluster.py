"""Independent pieces of work on the machines of a Ray cluster, one core each.

They are Ray's own tasks: Ray tries the task of a dead worker again.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from anyorder.envs.modules import allow_only, allowed_modules
from anyorder.errors import AnyOrderError
from anyorder.studies.engines import Lost, Work

TRIES_AGAIN = 1
"""How often the item of a worker that died is tried again, perhaps on another machine."""


@dataclass(frozen=True)
class RayCluster:
    """An `anyorder.studies.engines.Engine`. The machines must share the working directory and have this package installed.

    Attributes:
        address: of the cluster's head, ``HOST:PORT``; or "auto", the cluster that this machine belongs to.
    """

    address: str

    def __call__(self, work: Work, items: Sequence[Any]) -> Generator[Any, None, None]:
        """See `anyorder.studies.engines`.

        Raises:
            AnyOrderError: when Ray is not installed or there is no such cluster.
        """
        ray = _ray()
        try:
            _check_answers(self.address)
            ray.init(self.address, log_to_driver=False, logging_level="ERROR", ignore_reinit_error=True)
        except (OSError, ValueError) as error:  # ConnectionError is an OSError
            raise AnyOrderError(
                f"there is no Ray cluster at {self.address!r} ({' '.join(str(error).split())}); start one with `ray start"
                " --head`, or leave out --cluster"
            ) from None
        task = ray.remote(num_cpus=1, max_retries=TRIES_AGAIN)(_work_in)
        waiting = {task.remote(work, os.getcwd(), allowed_modules(), item): item for item in items}
        try:
            while waiting:
                (done,), _ = ray.wait(list(waiting))
                yield _result(ray, done, waiting.pop(done))
        finally:
            for left in waiting:
                ray.cancel(left)
            ray.shutdown()


def _check_answers(address: str) -> None:
    """Raise an OSError or a ValueError if nobody listens at the address; Ray itself would wait for minutes."""
    host, _, port = address.rpartition(":")
    if host:
        socket.create_connection((host, int(port)), timeout=10).close()


def _result(ray: ModuleType, done: Any, item: Any) -> Any:
    try:
        return ray.get(done)
    except ray.exceptions.TaskCancelledError:
        raise KeyboardInterrupt from None
    except (ray.exceptions.WorkerCrashedError, ray.exceptions.NodeDiedError, ray.exceptions.OutOfMemoryError) as error:
        return Lost(item, f"its worker died {1 + TRIES_AGAIN} times ({type(error).__name__})")


def _work_in(work: Work, folder: str, modules: Sequence[str], item: Any) -> Any:
    """What ``work(item)`` returns on another machine, in the folder where the study was started: paths are relative to it, and
    the modules that the user named may lie in it."""
    os.chdir(folder)
    try:
        allow_only(modules)
    except AnyOrderError as error:
        return Lost(item, f"on {socket.gethostname()}, {error}")
    return work(item)


def _ray() -> ModuleType:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray reads it when it is imported
    try:
        import ray
    except ImportError:
        raise AnyOrderError("--cluster needs Ray; install it with: pip install 'anyorder[cluster]'") from None
    return ray
