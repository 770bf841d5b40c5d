"""Starting and ending the playground from the command line."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest
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


def test_it_serves_on_this_machine_alone_until_ctrl_c(checkpoint):
    command = [sys.executable, "-m", "anyorder", "playground", "--checkpoint", checkpoint, "--no_browser", "--port", "0"]
    heed = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # noqa: E731
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heed) as process:
        try:
            said = process.stdout.readline()
            address = re.search(r"http://127\.0\.0\.1:\d+", said)[0]
            with urllib.request.urlopen(f"{address}/api/about", timeout=30) as response:
                about = json.load(response)
            assert about["env_id"] == "BabyAI-GoToRedBall-v0" and about["num_recorded"] == 6
            port = int(address.rpartition(":")[2])
            with socket.socket() as elsewhere, pytest.raises(OSError):
                elsewhere.settimeout(2)
                elsewhere.connect(("127.0.0.2", port))
            os.kill(process.pid, signal.SIGINT)
            assert process.wait(30) == 0 and without_notes(process.stderr.read()) == ""
        finally:
            process.kill()


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
