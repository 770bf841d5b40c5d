"""Whose code may run: what the user of a command has vouched for, which nothing that is read from a file can widen.

Checkpoints can bring Python code, and their headers can ask for it to be run. Whoever is about to load code from a file asks
here first. The command line is the only one to answer: `anyorder.options.parse` hands over what the user has written there.
Modules that register environments have a word of their own, see `anyorder.envs`. docs/security.md says what may be opened.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from anyorder.errors import AnyOrderError

TRUST_OPTION = "--trust_remote_code"
TRUST_HELP = "run Python code that comes with a checkpoint; read that code first"

_trusts_code = False


def trusts_code() -> bool:
    """True if the user of the running command has vouched for the code in the files that it opens; in a script False, outside
    of `trusting`."""
    return _trusts_code


def give_trust(code: bool) -> None:
    """Note what the user has written on the command line, in place of what was noted before."""
    global _trusts_code
    _trusts_code = code


@contextmanager
def trusting(code: bool = True) -> Iterator[None]:
    """Within the block, the user has vouched for code, or has not; afterwards as before. It holds for the whole process, whose
    threads serve one user."""
    before = _trusts_code
    give_trust(code)
    try:
        yield
    finally:
        give_trust(before)


def check_trust(code: bool, what: str) -> None:
    """Go on if the code is trusted.

    Args:
        code: whether it is.
        what: a clause that says whose code would run, such as "the checkpoint x brings code of its own".

    Raises:
        AnyOrderError: otherwise; it names the option.
    """
    if not code:
        raise AnyOrderError(f"{what}; read that code and, if you trust it, give {TRUST_OPTION}")
