"""One writer to a folder: the second is told who is the first, and what killed ones left behind goes."""

import os
import signal
import subprocess
import sys
import time

import pytest

from anyorder.errors import AnyOrderError
from anyorder.files import new_folder, replace_folder
from anyorder.locks import HOLDER_FILE, LOCK_FILE, locked

HOLDING = (
    "import sys, time; from anyorder.locks import locked\nwith locked(sys.argv[1]): print('held', flush=True); time.sleep(60)"
)


def test_the_second_is_told_who_is_the_first_and_a_killed_one_holds_nothing(tmp_path):
    folder = tmp_path / "run"
    first = subprocess.Popen([sys.executable, "-c", HOLDING, str(folder)], stdout=subprocess.PIPE, text=True)
    assert first.stdout.readline() == "held\n"
    with pytest.raises(AnyOrderError, match=rf"is being written by `anyorder .*` \(process {first.pid} on .*, since 20"):
        locked(folder).__enter__()
    first.kill()
    first.wait()
    with locked(folder):
        pass


def test_a_process_does_not_write_twice_at_a_time(tmp_path):
    with locked(tmp_path), pytest.raises(AnyOrderError, match="is being written by"):
        locked(tmp_path).__enter__()


def test_a_lock_leaves_nothing_but_itself(tmp_path):
    with locked(tmp_path / "new" / "folder"):
        assert (tmp_path / "new" / "folder" / HOLDER_FILE).exists()
    assert list(tmp_path.iterdir()) == [], "nothing was written, so nothing is there"
    with locked(tmp_path / "new"):
        (tmp_path / "new" / "result").touch()
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"result", LOCK_FILE}


@pytest.fixture
def dead_process():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_who_holds_the_lock_removes_what_killed_processes_left(tmp_path, dead_process):
    inside = tmp_path / "checkpoints"
    inside.mkdir()
    for folder in (tmp_path, inside):
        (folder / f".metrics.json.{dead_process}.tmp").touch()
    new_folder(inside / "state")
    living, of_others = tmp_path / f".metrics.json.{os.getpid()}.tmp", tmp_path / ".notes.tmp"
    for kept in (living, of_others):
        kept.touch()
    with locked(tmp_path, "checkpoints"):
        assert set(tmp_path.rglob("*.tmp")) == {living, of_others}


@pytest.mark.parametrize("moment", ["before the new one", "after the new one"])
def test_a_folder_that_was_being_replaced_is_there_again(tmp_path, monkeypatch, moment):
    """The process dies while it exchanges two folders."""
    target = tmp_path / "state"
    for content in ("old", "new"):
        new = new_folder(target)
        (new / "content").write_text(content)
        if content == "old":
            replace_folder(new, target)
    target.rename(tmp_path / ".state.old.tmp")
    if moment == "after the new one":
        new.rename(target)
    with locked(tmp_path):
        assert (target / "content").read_text() == ("old" if moment == "before the new one" else "new")
        assert {path.name for path in tmp_path.iterdir()} == {"state", LOCK_FILE, HOLDER_FILE}


def test_a_command_that_is_running_keeps_others_out_of_its_folder(tmp_path, data_folder_of_locks):
    """Training has begun in another process; training, and evaluating into the same folder, are refused."""
    folder, options = tmp_path / "run", data_folder_of_locks
    command = [sys.executable, "-m", "anyorder", "train", *options, "--output_dir", str(folder)]
    first = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 60
        while not (folder / "metrics.jsonl").exists():
            assert first.poll() is None and time.monotonic() < until
            time.sleep(0.05)
        second = subprocess.run([*command, "--resume"], capture_output=True, text=True)
        assert second.returncode == 2 and f"(process {first.pid} on" in second.stderr and "anyorder train" in second.stderr
    finally:
        first.send_signal(signal.SIGKILL)
        first.wait()


@pytest.fixture
def data_folder_of_locks(tmp_path):
    data = tmp_path / "data"
    collect = ["collect", "--num_episodes", "20", "--num_validation", "4", "--num_test", "4", "--output_dir", str(data)]
    subprocess.run([sys.executable, "-m", "anyorder", *collect], check=True, capture_output=True)
    return ["--data.path", str(data), "--training.num_updates", "100000", "--training.num_processes", "1"]
