"""``anyorder environments``: which environments have experts; and how a user lets a module run that registers others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
from jsonargparse import ArgumentParser
from rich.console import Console
from rich.table import Table
from rich.text import Text

from anyorder.envs.known import KNOWN
from anyorder.envs.minigrid import is_grid_env  # noqa: F401  (registers MiniGrid's environments)
from anyorder.envs.modules import SEPARATOR, allow_module, modules_in
from anyorder.options import parse, parser


def environments_parser() -> ArgumentParser:
    """The parser of the command, which has no options."""
    return parser("environments", "List the environments of which more is known than their spaces.")


def environments_command(arguments: Sequence[str]) -> None:
    """Print a table, and what can be done with all other environments."""
    parse(environments_parser(), arguments)
    table = Table("id", "what it is", "success", "expert", "install", box=None, pad_edge=False)
    for one in KNOWN:
        ids = [name for name in gym.registry if name.startswith(one.prefix)]
        shown = ids[0] if len(ids) == 1 else f"{one.prefix}* ({len(ids)})"
        extra = f"anyorder[{one.extra}]" if one.extra else ""
        table.add_row(*map(Text, (shown, one.about, one.success, "yes" if one.expert else "", extra)))
    Console().print(table)
    print(
        "\nanyorder collect --env ID --policy expert (or noisy_expert --noise 0.2). Every other environment of Gymnasium works"
        "\nwithout being known, with --policy random or a policy of your own, --policy module:function; one that another package"
        "\nregisters is --env module:ID. docs/environments.md lists the ids and says what counts as success."
    )


def add_env_module(options: ArgumentParser) -> None:
    """Add ``--env_module``; `allow_named_modules` obeys it."""
    options.add_argument(
        "--env_module",
        type=str | None,
        help="a module that registers environments, installed or in the current folder (several are joined by +); what a data"
        " set or checkpoint names as module:id runs only if you name the module",
    )


def allow_named_modules(chosen: Any) -> None:
    """Import the modules that the user named with ``--env_module``, or in ``--env`` or ``--policy`` where the command has them.

    Raises:
        AnyOrderError: when one cannot be imported.
    """
    named = (chosen.get("env_module") or "").split(SEPARATOR)
    for module in [*named, *modules_in(chosen.get("env") or ""), *modules_in(chosen.get("policy") or "")]:
        if module:
            allow_module(module)
