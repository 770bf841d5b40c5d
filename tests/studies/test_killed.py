"""A study that is killed in the middle and started again repeats no finished run."""

import os
import signal
import subprocess
import sys
import time

import pytest

from anyorder.cli import main


def finished(out):
    return {path: path.stat().st_mtime_ns for path in out.rglob("effort.json")}


def test_killed_in_the_middle_and_started_again(study_file, tmp_path):
    # Other data sets than those of the other tests: collecting is part of what is killed.
    file, out = tmp_path / "tiny.yaml", tmp_path / "out"
    text = study_file.read_text().replace(str(study_file.parent), str(tmp_path))
    file.write_text(text.replace("quick: {seeds: [0], sizes: [4]", "quick: {seeds: [0, 1], sizes: [4]"))
    options = ["ablate", "--study", str(file), "--quick", "--output_dir", str(out), "--num_workers", "1"]
    running = subprocess.Popen([sys.executable, "-m", "anyorder", *options], start_new_session=True)
    try:
        until = time.monotonic() + 120
        while not finished(out):
            assert running.poll() is None and time.monotonic() < until, "it ends before it has finished a run"
            time.sleep(0.05)
    finally:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
    before = finished(out)
    assert 0 < len(before) < 6

    with pytest.raises(SystemExit) as ending:
        main(options)
    assert ending.value.code == 2, "one arm is broken"
    after = finished(out)
    assert len(after) == 6 and before.items() <= after.items()
    assert "Not distinguishable" in (out / "RESULTS_SUMMARY.md").read_text()
