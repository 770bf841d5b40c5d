"""Starting and ending the playground from the command line."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest
from cartpole import cartpole_data, cartpole_run
from said import without_notes

from anyorder.cli import main


@pytest.fixture(scope="module")
def checkpoint(finished_run):
    return str(finished_run / "checkpoints" / "best.safetensors")


@pytest.fixture
def complaint(capsys):
    def run(*options):
        with pytest.raises(SystemExit) as ending:
            main(["playground", "--no_browser", "--port", "0", *map(str, options)])
        said = without_notes(capsys.readouterr().err)
        assert ending.value.code == 2 and said.count("\n") == 1 and said.startswith("anyorder: ")
        return said

    return run


@contextlib.contextmanager
def running(checkpoint, *options):
    """A playground that runs: its process, its address, and what it said before that."""
    command = [
        sys.executable,
        "-m",
        "anyorder",
        "playground",
        "--checkpoint",
        checkpoint,
        "--no_browser",
        "--port",
        "0",
        *options,
    ]
    heed = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # noqa: E731
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heed) as process:
        try:
            said = [process.stdout.readline()]
            while not (address := re.search(r"http://127\.0\.0\.1:\d+", said[-1])):
                assert said[-1], process.stderr.read()
                said.append(process.stdout.readline())
            yield process, address[0], said[:-1]
        finally:
            process.kill()


def about(address):
    with urllib.request.urlopen(f"{address}/api/about", timeout=30) as response:
        return json.load(response)


def test_it_serves_on_this_machine_alone_until_ctrl_c(checkpoint):
    with running(checkpoint) as (process, address, _):
        told = about(address)
        assert (told["kind"], told["env_id"], told["num_recorded"]) == ("grid", "BabyAI-GoToRedBall-v0", 6)
        port = int(address.rpartition(":")[2])
        with socket.socket() as elsewhere, pytest.raises(OSError):
            elsewhere.settimeout(2)
            elsewhere.connect(("127.0.0.2", port))
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(30) == 0 and without_notes(process.stderr.read()) == ""


@pytest.fixture(scope="module")
def field_checkpoint(tmp_path_factory):
    data = cartpole_data(tmp_path_factory.mktemp("fields"))
    run = cartpole_run(data, tmp_path_factory.mktemp("runs") / "fields", num_updates=2)
    return str(run / "checkpoints" / "best.safetensors")


def test_a_model_of_any_environment_has_its_page(field_checkpoint):
    with running(field_checkpoint) as (_, address, said):
        told = about(address)
        assert (told["kind"], told["env_id"], told["num_recorded"], told["plays"]) == ("fields", "CartPole-v1", 5, True)
        assert said == []


def test_an_environment_that_cannot_be_played_is_said(complaint, field_checkpoint):
    assert "there is no environment" in complaint("--checkpoint", field_checkpoint, "--env", "NoSuch-v0")
    said = complaint("--checkpoint", field_checkpoint, "--env", "MountainCar-v0")
    assert "must have the observations of the training data" in said and "choose another environment" in said


def test_a_port_in_use_is_said(complaint, checkpoint):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = complaint("--checkpoint", checkpoint, "--port", port)
    assert f"the port {port} cannot be used" in said and "--port" in said


def test_what_is_missing_is_said(complaint, checkpoint, tmp_path, monkeypatch):
    assert "there is no checkpoint" in complaint("--checkpoint", tmp_path / "best.safetensors")
    assert str(tmp_path / "nothing") in complaint("--checkpoint", checkpoint, "--data", tmp_path / "nothing")
    assert "no split 'exam'" in complaint("--checkpoint", checkpoint, "--split", "exam")
    assert "no environment 'BabyAI-Nowhere-v0'" in complaint("--checkpoint", checkpoint, "--env", "BabyAI-Nowhere-v0")
    assert "--port must lie between 0 and 65535" in complaint("--checkpoint", checkpoint, "--port", 70000)
    assert "checkpoint" in complaint()
    monkeypatch.delitem(sys.modules, "anyorder.playground.server", raising=False)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    said = complaint("--checkpoint", checkpoint)
    assert "needs uvicorn" in said and "pip install 'anyorder[playground]'" in said
