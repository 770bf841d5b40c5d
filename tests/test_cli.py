"""The command line itself."""

from importlib.metadata import version

import pytest

import anyorder
from anyorder.cli import COMMANDS, main


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_it_says_which_version_it_is(capsys, option):
    main([option])
    assert capsys.readouterr().out == f"anyorder {anyorder.__version__}\n"


def test_the_installed_package_has_the_version_that_it_says():
    assert version("anyorder") == anyorder.__version__


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_lists_every_command(capsys, arguments):
    main(arguments)
    printed = capsys.readouterr().out
    assert [name for name in COMMANDS if f"\n  {name} " not in printed] == []
