"""Java, for environments that run on it: whether it is there, and one Java machine for all environments of a process."""

from __future__ import annotations

import logging
import shutil
from functools import lru_cache
from importlib import import_module
from typing import Any

from anyorder.errors import AnyOrderError


@lru_cache(maxsize=8)
def java_machine(what: str, module: str, name: str) -> Any:
    """An environment of a package that has started a Java machine, the same one at every call: it ends with that object.

    Args:
        what: the name of the environments, for people.
        module: of the package.
        name: its class of environments; the object's ``_gateway.jvm`` is the machine.

    Raises:
        AnyOrderError: where there is no ``java`` to start; the message says how to install it.
        ImportError: where the package is missing.
    """
    found = getattr(import_module(module), name)
    if shutil.which("java") is None:
        raise AnyOrderError(
            f"{what} runs on Java, which is not installed; install a Java runtime, on Debian and Ubuntu with `apt-get install"
            " default-jre-headless`"
        )
    # Whoever interrupts a process gets its own sentence, not py4j's traceback.
    logging.getLogger().addFilter(lambda record: "while sending command" not in record.getMessage())
    return found()
