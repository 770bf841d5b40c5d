"""The records of a run, where the disk is full too."""

import subprocess
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from anyorder.training.journal import Journal, read_metrics

FULL = """
import resource, signal, sys
from pathlib import Path
from anyorder.training.journal import Journal
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
journal = Journal(Path(sys.argv[1]), 0)
try:
    for update in range(1000):
        journal._board.write(update, {"train/loss": 1.0})
except OSError as error:
    sys.exit(f"only this: {error.strerror}")
"""


def test_tensorboard_reads_what_was_written_and_forgets_what_is_repeated(tmp_path):
    for done, loss in ((0, 2.0), (1, 1.0)):
        journal = Journal(tmp_path, done)
        for update in range(done + 1, 4):
            journal.write(update, "train", {"loss": loss})
        journal.close()
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("train/loss")] == [(1, 2.0), (2, 1.0), (3, 1.0)]
    assert [line["loss"] for line in read_metrics(tmp_path)] == [2.0, 1.0, 1.0]


def test_a_full_disk_prints_no_traceback_of_another_thread(tmp_path):
    ended = subprocess.run([sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True)
    assert ended.returncode == 1 and ended.stderr == "only this: File too large\n"
