"""The option by which a user lets a module run that registers environments."""

from __future__ import annotations

from typing import Any

from jsonargparse import ArgumentParser

from anyorder.envs.modules import SEPARATOR, allow_module, modules_in


def add_env_module(options: ArgumentParser) -> None:
    """Add ``--env_module``; `allow_named_modules` obeys it."""
    options.add_argument(
        "--env_module",
        type=str | None,
        help="a module that registers environments, installed or in the current folder (several are joined by +); what a data"
        " set or checkpoint names as module:id runs only if you name the module",
    )


def allow_named_modules(chosen: Any) -> None:
    """Import the modules that the user named with ``--env_module``, or in ``--env`` where the command has it.

    Raises:
        AnyOrderError: when one cannot be imported.
    """
    named = (chosen.get("env_module") or "").split(SEPARATOR)
    for module in [*named, *modules_in(chosen.get("env") or "")]:
        if module:
            allow_module(module)
