"""One writer to a folder: whoever writes there holds its lock, and the next one is told who that is.

The lock is one of the operating system (flock, which network file systems know too), so it ends with its process, however
that ends. Readers need none: files are written whole or not at all.
"""

from __future__ import annotations

import json
import os
import shlex
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from anyorder.errors import AnyOrderError
from anyorder.files import explained, replacing, sweep

LOCK_FILE = ".anyorder.lock"
HOLDER_FILE = ".anyorder.holder"
"""Says who holds the lock: a second file, since whoever tries to get the lock opens the first one."""


@contextmanager
def locked(folder: Path, *inside: str) -> Iterator[None]:
    """Hold the lock of a folder in the block. What killed processes left half written there is removed first; a folder that
    did not exist and in which nothing was written is removed afterwards.

    Args:
        folder: made if it does not exist.
        inside: names of folders in it that the same lock is for, and where nothing half written must stay either.

    Raises:
        AnyOrderError: when another process holds the lock, or the folder cannot be written to.
    """
    folder = Path(folder)
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    lock = FileLock(folder / LOCK_FILE, timeout=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise AnyOrderError(
            f"{folder} is being written by {_holder(folder)}; wait for its end or choose another folder"
        ) from None
    except OSError as error:
        raise AnyOrderError(f"could not write to {folder}: {explained(error)}") from None
    try:
        for place in (folder, *(folder / name for name in inside)):
            sweep(place)
        with replacing(folder / HOLDER_FILE) as temporary:
            temporary.write_text(json.dumps(_this_process()))
        yield
    finally:
        with suppress(OSError):
            (folder / HOLDER_FILE).unlink(missing_ok=True)
        _remove_if_empty(made)
        lock.release()


def _this_process() -> dict[str, str | int]:
    command = shlex.join(["anyorder", *sys.argv[1:]])
    since = datetime.now().astimezone().isoformat(" ", "seconds")
    return {"host": socket.gethostname(), "process": os.getpid(), "command": command, "since": since}


def _holder(folder: Path) -> str:
    try:
        found = json.loads((folder / HOLDER_FILE).read_text())
        command = found["command"] if len(found["command"]) <= 200 else f"{found['command'][:197]}..."
        return f"`{command}` (process {found['process']} on {found['host']}, since {found['since']})"
    except (OSError, ValueError, KeyError, TypeError):  # it has just begun or ended
        return "another process"


def _remove_if_empty(made: list[Path]) -> None:
    """Remove new folders, the innermost first, if there is nothing in it but the lock, which is still held."""
    with suppress(OSError):
        if made and [path.name for path in made[0].iterdir()] == [LOCK_FILE]:
            (made[0] / LOCK_FILE).unlink()
            for folder in made:
                folder.rmdir()
