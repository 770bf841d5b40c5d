"""Workers end when their parent does, however that ends; being asked to stop reaches what they work on."""

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from anyorder import processes
from anyorder.processes import WorkerDied, WorkerFailed, share_out, terminated_as_interrupted

SLEEPING = """
import os, signal, sys, time
from anyorder.processes import Worker, end_workers, terminated_as_interrupted

def sleep(folder):
    open(f"{folder}/{os.getpid()}", "w").close()
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        open(f"{folder}/saved-{os.getpid()}", "w").close()

if __name__ == "__main__":
    workers = [Worker(sleep) for _ in range(2)]
    for worker in workers:
        worker.give(sys.argv[1])
    try:
        with terminated_as_interrupted():
            for worker in workers:
                worker.answer()
    except KeyboardInterrupt:
        end_workers(workers)
"""


def begun(folder):
    return [int(path.name) for path in folder.iterdir() if path.name.isdigit()]


def alive(pid):
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize(("kind", "saved"), [(signal.SIGKILL, 0), (signal.SIGTERM, 2)])
def test_no_worker_outlives_its_parent(tmp_path, kind, saved):
    script, folder = tmp_path / "script.py", tmp_path / "begun"
    script.write_text(SLEEPING)
    folder.mkdir()
    parent = subprocess.Popen([sys.executable, str(script), str(folder)], stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 30
    while len(begun(folder)) < 2 and time.monotonic() < until:
        time.sleep(0.05)
    parent.send_signal(kind)
    said = parent.communicate()[1]
    until = time.monotonic() + 5
    while any(map(alive, begun(folder))) and time.monotonic() < until:
        time.sleep(0.05)
    assert len(begun(folder)) == 2 and not any(map(alive, begun(folder)))
    assert len(list(folder.glob("saved-*"))) == saved and "Traceback" not in said


def act(item):
    if item == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if item == "fail":
        raise ZeroDivisionError(item)
    return os.getpid()


def test_a_worker_that_dies_costs_its_own_item_and_its_place_is_taken():
    found = dict(share_out(act, ["die", 1, 2, "die", 3], num_processes=2, ahead=2))
    assert sorted(found) == [0, 1, 2, 3, 4]
    assert [number for number in sorted(found) if isinstance(found[number], WorkerDied)] == [0, 3]
    assert "was killed by SIGKILL" in str(found[0])


def test_a_bug_in_a_worker_is_told_with_its_traceback():
    with pytest.raises(WorkerFailed, match="(?s)Traceback.*ZeroDivisionError: fail"):
        list(share_out(act, ["fail"], num_processes=1))


def test_workers_end_when_nobody_reads_any_more():
    with closing(share_out(act, range(100), num_processes=2)) as results:
        _, pid = next(results)
    assert not alive(pid)


LOADING = """
import sys
from anyorder.processes import Worker, WorkerStopped

if __name__ == "__main__":
    import slow_to_load
    worker = Worker(slow_to_load.nothing)
    worker.give(None)
    try:
        worker.answer()
    except WorkerStopped:
        print("stopped")
"""
SLOW_TO_LOAD = """
import multiprocessing, os, time

def nothing(item):
    time.sleep(60)

if multiprocessing.parent_process() is not None:
    open(f"begun/{os.getpid()}", "w").close()
    time.sleep(2 if os.environ["SIGNAL"] == "SIGTERM" else 20)
"""


@pytest.mark.parametrize(("kind", "said"), [(signal.SIGKILL, ""), (signal.SIGTERM, "stopped\n")])
def test_a_worker_that_still_loads_what_it_calls_ends_or_answers(tmp_path, kind, said):
    """Killed is the parent, asked to stop is the worker."""
    (tmp_path / "script.py").write_text(LOADING)
    (tmp_path / "slow_to_load.py").write_text(SLOW_TO_LOAD)
    (tmp_path / "begun").mkdir()
    environment = os.environ | {"SIGNAL": kind.name}
    command = [sys.executable, str(tmp_path / "script.py")]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environment)
    until = time.monotonic() + 30
    while not begun(tmp_path / "begun") and time.monotonic() < until:
        time.sleep(0.05)
    (worker,) = begun(tmp_path / "begun")
    os.kill(parent.pid if kind is signal.SIGKILL else worker, kind)
    assert parent.communicate() == (said, "")
    until = time.monotonic() + 5
    while alive(worker) and time.monotonic() < until:
        time.sleep(0.05)
    assert not alive(worker)


def ask_to_stop():
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0)  # here Python runs the handler


class AskedWhileDestroyed:
    def __del__(self):
        ask_to_stop()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_who_asks_again_after_a_lost_interrupt_is_heard(monkeypatch):
    monkeypatch.setattr(processes, "SECONDS_TO_END", 0.2)
    with terminated_as_interrupted():
        with pytest.raises(KeyboardInterrupt):
            ask_to_stop()
        ask_to_stop()  # a scheduler may send it twice
        time.sleep(0.3)
        AskedWhileDestroyed()  # Python prints this interrupt and goes on
        time.sleep(0.3)
        with pytest.raises(KeyboardInterrupt):
            ask_to_stop()
