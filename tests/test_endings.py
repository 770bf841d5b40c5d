"""How a command ends, apart from what it does."""

import subprocess
import sys

import pytest

from anyorder import cli
from anyorder.cli import main
from anyorder.errors import AnyOrderError, Interrupted, shortened


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"]])
def test_a_reader_that_leaves_ends_a_command_quietly(arguments):
    command = subprocess.Popen(
        [sys.executable, "-m", "anyorder", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    command.stdout.close()
    assert command.stderr.read() == "" and command.wait() in (0, 141)  # argparse ignores it


@pytest.mark.parametrize(
    ("raised", "status"), [(AnyOrderError("wrong"), 2), (Interrupted("saved"), 130), (KeyboardInterrupt("kept"), 130)]
)
def test_what_ends_a_command_decides_its_status(monkeypatch, capsys, raised, status):
    def command(_):
        raise raised

    monkeypatch.setattr(cli, "_command", lambda name: command)
    with pytest.raises(SystemExit) as ending:
        main(["train"])
    assert ending.value.code == status and capsys.readouterr().err == f"anyorder: {raised}\n"


@pytest.mark.parametrize(
    "arguments", [["train", "--training.num_updates", "x" * 10_000], ["collect", "--env", "y" * 10_000], ["z" * 10_000]]
)
def test_no_value_is_echoed_whole_when_it_is_long(capsys, arguments):
    with pytest.raises(SystemExit):
        main(arguments)
    assert 20 < len(capsys.readouterr().err) < 1500


def test_a_long_message_keeps_its_beginning_and_its_end():
    message = f"the seed must be a number; found {'9' * 10_000}; lower it"
    assert shortened(message).startswith("the seed must be a number; found 999") and shortened(message).endswith(
        "999; lower it"
    )
    assert shortened("short") == "short" and len(str(AnyOrderError(message))) < 1300
