"""Reading options with jsonargparse, and saying what was wrong in one sentence: where, what, and what is allowed."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from typing import Any, get_type_hints

from jsonargparse import ArgumentParser

from anyorder.errors import AnyOrderError


def parser(command: str, description: str) -> ArgumentParser:
    """A parser that raises instead of exiting; `parse` makes its errors readable."""
    return ArgumentParser(prog=f"anyorder {command}", description=description, exit_on_error=False, allow_abbrev=False)


def parse(options: ArgumentParser, config_class: type, arguments: Sequence[str]) -> Any:
    """Parse and instantiate.

    Args:
        options: a parser.
        config_class: the dataclass whose fields are the nested groups, to tell what is allowed.
        arguments: of the command line.

    Raises:
        AnyOrderError: naming the file or the command line, the key, and what is allowed.
    """
    try:
        return options.instantiate(options.parse_args(list(arguments)))
    except (argparse.ArgumentError, ValueError, TypeError) as error:
        raise AnyOrderError(_explain(str(error), config_class, arguments)) from None


def _explain(message: str, config_class: type, arguments: Sequence[str]) -> str:
    where = _config_file(arguments)
    message = " ".join(message.split())
    message = message.replace("<class '", "").replace("'>", "").replace("typing.", "")
    if unknown := re.search(r"Group '([\w.]+)' does not accept option '([\w.]+)'", message):
        group, key = unknown.groups()
        message = f"unknown key {group}.{key}; allowed in {group}: {', '.join(_keys(config_class, group))}"
    elif unknown := re.search(r"(?:unrecognized arguments:|does not accept option|No action for key) '?-*([\w.]+)", message):
        message = f"unknown option {unknown[1]}; allowed: {', '.join(_keys(config_class, unknown[1].rpartition('.')[0]))}"
    elif bad := re.search(r'Parser key "([\w.]+)"', message):
        message = message.replace(bad[0] + ":", f"{bad[1]}:")
        unknown = bad
    key = unknown[unknown.lastindex] if unknown else ""
    from_command_line = key and any(key in argument for argument in arguments)
    return message if from_command_line or not where else f"{where}: {message}"


def _keys(config_class: type, group: str) -> list[str]:
    hints: Any = config_class
    for part in filter(None, group.split(".")):
        hints = get_type_hints(hints).get(part) if is_dataclass(hints) else None
    return [field.name for field in fields(hints if is_dataclass(hints) else config_class)]


def _config_file(arguments: Sequence[str]) -> str:
    for here, following in zip(arguments, [*arguments[1:], ""]):
        if here == "--config":
            return following
        if here.startswith("--config="):
            return here.split("=", 1)[1]
    return ""
