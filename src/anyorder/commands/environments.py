"""``anyorder environments``: which environments have experts; and how a user lets a module run that registers others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
from jsonargparse import ArgumentParser

from anyorder.envs.known import KNOWN, KnownEnvironment
from anyorder.envs.minigrid import is_grid_env  # noqa: F401  (registers MiniGrid's environments)
from anyorder.envs.modules import SEPARATOR, allow_module, modules_in
from anyorder.envs.registered import full_ids
from anyorder.options import parse, parser


def environments_parser() -> ArgumentParser:
    """The parser of the command, which has no options."""
    return parser("environments", "List the environments of which more is known than their spaces.")


def environments_command(arguments: Sequence[str]) -> None:
    """Print a table, and what can be done with all other environments."""
    parse(environments_parser(), arguments)
    for one in KNOWN:
        number = sum(name.startswith(one.prefix) for name in gym.registry)
        expert = "expert" if one.expert else ""
        print(f"{one.prefix + '*':18} {number:3}  {expert:6}  {one.about}{_needs(one)}")
    print(
        "\nanyorder collect --env ID --policy expert, or noisy_expert --noise 0.2. All others of Gymnasium work, too,"
        "\nwith --policy random, or a policy of your own, --policy module:function; what another package registers is --env"
        "\nmodule:ID. docs/environments.md lists the ids, and says what counts as success."
    )


def _needs(known: KnownEnvironment) -> str:
    return f" (pip install 'anyorder[{known.extra}]')" if known.extra else ""


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
    What ``--env`` names is written out first (`full_ids`).

    Raises:
        AnyOrderError: when one cannot be imported.
    """
    if chosen.get("env"):
        chosen.env = full_ids(chosen.env)
    named = (chosen.get("env_module") or "").split(SEPARATOR)
    for module in [*named, *modules_in(chosen.get("env") or ""), *modules_in(chosen.get("policy") or "")]:
        if module:
            allow_module(module)
