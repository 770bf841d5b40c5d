"""Whose code may run: what the user of a command has vouched for, which nothing that is read from a file can widen.

Files from others (checkpoints, data sets, studies) can name Python code: modelling code that lies beside weights, the module
that registers an environment. Whoever is about to run such code asks here first. The command line is the only one to
answer: `anyorder.options.parse` hands over what the user has written there. docs/security.md says what may be opened.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from anyorder.errors import AnyOrderError

TRUST_OPTION = "--trust_remote_code"
TRUST_HELP = "run Python code that a file names or a checkpoint brings; read that code first"


@dataclass(frozen=True)
class Trust:
    """What a user has vouched for.

    Attributes:
        code: True for all code that files name or bring.
        modules: those that the user named, as in ``--env my_package.levels:MyRoom-v0``.
    """

    code: bool = False
    modules: frozenset[str] = frozenset()


_given = Trust()


def given_trust() -> Trust:
    """What the user of the running command has vouched for; in a script nothing, outside of `trusting`."""
    return _given


def give_trust(code: bool, env_ids: str | None = None) -> None:
    """Note what the user has written on the command line, in place of what was noted before.

    Args:
        code: whether all code is trusted.
        env_ids: the environments that the user named, joined by ``+``.
    """
    global _given
    _given = Trust(code, modules_of(env_ids or ""))


@contextmanager
def trusting(trust: Trust) -> Iterator[None]:
    """Within the block, the user has vouched for this much; afterwards, for as much as before. It holds for the whole process,
    whose threads serve one user."""
    global _given
    before, _given = _given, trust
    try:
        yield
    finally:
        _given = before


def modules_of(env_ids: str) -> frozenset[str]:
    """The modules in ``module:id``, for one environment or several joined by ``+``."""
    return frozenset(env_id.partition(":")[0] for env_id in env_ids.split("+") if ":" in env_id)


def check_code(what: str) -> None:
    """Go on if the user trusts all code.

    Args:
        what: a clause that says whose code would run, such as "the checkpoint x brings modelling code".

    Raises:
        AnyOrderError: otherwise; it names the option.
    """
    if not _given.code:
        raise AnyOrderError(f"{what}; read that code, and if you trust it, give {TRUST_OPTION}")


def check_module(env_id: str) -> None:
    """Go on if to make an environment imports no module, one that is imported already, or one that the user has named.

    Args:
        env_id: one id; ``module:id`` asks for an import.

    Raises:
        AnyOrderError: otherwise.
    """
    for module in modules_of(env_id) - _given.modules - sys.modules.keys():
        check_code(f"the environment {env_id!r} would import the module {module}, which you have not named on the command line")


@dataclass(frozen=True)
class Carried:
    """A function to be called in another process; the user has vouched there for as much as here.

    Attributes:
        function: picklable.
        trust: what holds while it runs.
    """

    function: Callable[..., Any]
    trust: Trust = field(default_factory=given_trust)

    def __call__(self, *arguments: Any) -> Any:
        """What the function returns."""
        with trusting(self.trust):
            return self.function(*arguments)
