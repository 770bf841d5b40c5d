"""The modules that register a user's own environments, named as ``module:id``. Only the user's word imports one.

To import a module is to run its code, and a data set, a checkpoint or a configuration may come from a stranger. So a
command calls `allow_module` for what was typed on its command line, and `require_allowed` refuses every other module."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterable

from anyorder.errors import AnyOrderError

SEPARATOR = "+"
"""Joins the ids of several environments; no gymnasium id contains it."""
_ALLOWED = "ANYORDER_ENV_MODULES"  # an environment variable, so that processes that this one starts may import them too


def allow_module(name: str) -> None:
    """Import a module that the user named, and let environments be named by it from now on. It is installed, or lies in the
    current folder.

    Raises:
        AnyOrderError: when it cannot be imported.
    """
    allow_only([*allowed_modules(), name])


def allow_only(names: Iterable[str]) -> None:
    """Import the modules that the user named, and allow no others; raises as `allow_module`."""
    os.environ[_ALLOWED] = SEPARATOR.join(dict.fromkeys(names))
    import_allowed()


def allowed_modules() -> list[str]:
    """The modules that the user named, in the order of naming."""
    return [name for name in os.environ.get(_ALLOWED, "").split(SEPARATOR) if name]


def import_allowed() -> None:
    """Import the modules that the user named, so that their environments are registered.

    Raises:
        AnyOrderError: when one cannot be imported.
    """
    for name in allowed_modules():
        if name in sys.modules:
            continue
        if os.getcwd() not in sys.path:
            sys.path.append(os.getcwd())  # last, so that no file of this folder takes the place of an installed module
        try:
            importlib.import_module(name)
        except Exception as error:  # the code of a module may raise anything
            raise AnyOrderError(
                f"the module {name!r} of --env or --env_module could not be imported ({type(error).__name__}: {error}); it"
                f" must be installed, or lie in the current folder, {os.getcwd()}"
            ) from error


def modules_in(env_ids: str) -> list[str]:
    """The modules in an id, or in several joined by ``+``."""
    return [env_id.rpartition(":")[0] for env_id in env_ids.split(SEPARATOR) if ":" in env_id]


def require_allowed(env_id: str, what: str = "environment") -> None:
    """Raise an AnyOrderError if the id, of an environment or of ``what`` else, names a module that the user did not name."""
    for module in modules_in(env_id):
        if module not in allowed_modules():
            raise AnyOrderError(
                f"the {what} {env_id!r} needs code of the module {module!r}, which only you may let run; if you trust it,"
                f" add --env_module {module}"
            )
