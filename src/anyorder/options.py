"""Reading options with jsonargparse; an error is one sentence that says where it is, what is wrong and what is allowed."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from difflib import get_close_matches
from types import GenericAlias
from typing import Any

from jsonargparse import ArgumentParser, Namespace, set_loader, set_parsing_settings

from anyorder.errors import AnyOrderError
from anyorder.parsing import Unreadable, brief, from_yaml
from anyorder.restoring import restored
from anyorder.trust import TRUST_HELP, TRUST_OPTION, give_trust

# A value of a configuration could name a class, which jsonargparse would import and instantiate. No setting here needs that.
set_parsing_settings(
    import_path_denylist=["*"],
    import_path_allowlist=["anyorder.config", "anyorder.language_config"],
    instantiate_subclass_spec_in_any=False,
)

UNKNOWN_OPTION = (
    r"(?:unrecognized arguments:|does not accept option|No action for key|Option(?=.* is not accepted)) '?-*([\w.-]+)"
)
"""How jsonargparse says that there is no such option."""


def _load(text: str) -> Any:
    """What jsonargparse shall take a text for: a configuration, or the value of one option."""
    value = from_yaml(text)
    # ``{a, b}`` and ``name:`` have no values: as an option they are text.
    return text if isinstance(value, dict) and value and "\n" not in text and all(v is None for v in value.values()) else value


set_loader("yaml", _load, exceptions=(Unreadable,))


def parser(command: str, description: str) -> ArgumentParser:
    """A parser that raises instead of exiting; `parse` makes its errors readable."""
    return ArgumentParser(prog=f"anyorder {command}", description=description, exit_on_error=False, allow_abbrev=False)


def add_trust_option(options: ArgumentParser) -> None:
    """Let the user of a command vouch for the code in the files that it opens; see `anyorder.trust`."""
    options.add_argument(TRUST_OPTION, action="store_true", help=TRUST_HELP)


def parse(options: ArgumentParser, arguments: Sequence[str]) -> Any:
    """Parse and instantiate, and note what the user vouches for.

    Args:
        options: a parser.
        arguments: of the command line.

    Raises:
        AnyOrderError: with the file, the key, and what is allowed.
    """
    try:
        chosen = instantiated(options, options.parse_args(list(arguments)))
    except (argparse.ArgumentError, ValueError, TypeError) as error:
        raise AnyOrderError(_explain(str(error), options, arguments)) from None
    give_trust(bool(chosen.get("trust_remote_code")))
    return chosen


def instantiated(options: ArgumentParser, parsed: Namespace) -> Any:
    """The objects that a parser's result describes.

    Raises:
        ValueError, TypeError, AnyOrderError: for a value of another type than the option's. jsonargparse lets null pass.
    """
    for group in list(options.groups or ()):
        if group in parsed and not isinstance(parsed[group], Namespace):
            raise ValueError(f"{group} must be {{key: value, ...}}; found {brief(parsed[group])}")
    for action in options._actions:
        kind, key = getattr(action, "_typehint", None), action.dest
        if kind is not None and key in parsed and parsed[key] is not action.default:
            several = action.nargs in ("+", "*")
            restored(GenericAlias(list, (kind,)) if several else kind, _plain(parsed[key]), key)
    return options.instantiate(parsed)


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    return value.as_dict() if isinstance(value, Namespace) else value


def _explain(message: str, options: ArgumentParser, arguments: Sequence[str]) -> str:
    where = _config_file(arguments)
    message = brief(Exception(message), 400)
    message = message.replace("<class '", "").replace("'>", "").replace("typing.", "")
    if unknown := re.search(r"Group '([\w.]+)' does not accept option '([\w.]+)'", message):
        group, key = unknown.groups()
        message = f"unknown key {group}.{key}; allowed in {group}: {', '.join(_keys(options, group))}"
    elif unknown := re.search(UNKNOWN_OPTION, message):
        message = f"unknown option {unknown[1]}; {_meant(unknown[1], options)}"
    elif bad := re.search(r'Parser key "([\w.]+)"', message):
        message = message.replace(bad[0] + ":", f"{bad[1]}:")
        unknown = bad
    key = unknown.groups()[-1] if unknown else ""
    from_command_line = key and any(key in argument for argument in arguments)
    return message if from_command_line or not where else f"{where}: {message}"


def _meant(unknown: str, options: ArgumentParser) -> str:
    """The option that a user may have meant, and all that there are."""
    close = get_close_matches(unknown.replace("-", "_"), [action.dest for action in options._actions], n=1)
    guess = f"did you mean {close[0]}? " if close else ""
    return f"{guess}allowed: {', '.join(_keys(options, unknown.rpartition('.')[0]))}"


def _keys(options: ArgumentParser, group: str) -> list[str]:
    """The options of a group; the outermost ones if the group is "" or does not exist."""
    prefix = f"{group}." if group else ""
    names = [action.dest for action in options._actions if action.dest != "help"]
    inside = [name[len(prefix) :].split(".")[0] for name in names if name.startswith(prefix)]
    return list(dict.fromkeys(inside)) or _keys(options, "")


def _config_file(arguments: Sequence[str]) -> str:
    for here, following in zip(arguments, [*arguments[1:], ""]):
        if here == "--config":
            return following
        if here.startswith("--config="):
            return here.split("=", 1)[1]
    return ""
