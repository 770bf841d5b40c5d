"""A tiny data set, a tiny configuration and a tiny run, each made once by the commands themselves."""

import os
import signal
import subprocess
import sys
import time

import pytest

from anyorder.cli import main

TINY = """
data: {{path: {data}}}
masking: {{mixture: {{cell: 0.5, next_action: 0.5}}}}
model: {{width: 16, num_layers: 1, num_heads: 2}}
training: {{num_epochs: 2, num_processes: 1, num_threads: 1}}
"""


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory):
    """30, 6 and 6 demonstrations."""
    folder = tmp_path_factory.mktemp("commands") / "data"
    main(
        [
            "collect",
            "--num_episodes",
            "30",
            "--num_validation",
            "6",
            "--num_test",
            "6",
            "--num_processes",
            "1",
            "--output_dir",
            str(folder),
        ]
    )
    return folder


@pytest.fixture(scope="session")
def tiny_yaml(data_folder):
    path = data_folder.parent / "tiny.yaml"
    path.write_text(TINY.format(data=data_folder))
    return path


@pytest.fixture(scope="session")
def finished_run(tiny_yaml):
    folder = tiny_yaml.parent / "run"
    main(["train", "--config", str(tiny_yaml), "--output_dir", str(folder)])
    return folder


@pytest.fixture
def interrupt():
    """``interrupt([command, ...], when)``: run it, press Ctrl-C as a terminal does, to the whole group, as soon as
    ``when()`` is true; returns the status and what was said on stderr."""

    def run(arguments, when):
        command = [sys.executable, "-m", "anyorder", *map(str, arguments)]
        # A background job of a shell ignores Ctrl-C, and would hand that on.
        heed = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # noqa: E731
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=heed)
        try:
            deadline = time.monotonic() + 60
            while not when() and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.02)
            os.killpg(process.pid, signal.SIGINT)
            return process.wait(30), process.stderr.read()
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)

    return run
