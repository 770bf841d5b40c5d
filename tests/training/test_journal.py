"""The records of a run, where the disk is full too."""

import subprocess
import sys

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from anyorder.errors import AnyOrderError
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


def test_a_changed_number_is_noticed_and_records_of_before_are_read(tmp_path):
    journal = Journal(tmp_path, 0)
    for update in (1, 2):
        journal.write(update, "train", {"loss": 0.25})
    journal.close()
    path = tmp_path / "metrics.jsonl"
    text = path.read_text()
    for line in (1, 2):
        at = text.index("0.25") if line == 1 else text.rindex("0.25")
        path.write_text(f"{text[:at]}0.35{text[at + 4 :]}")
        with pytest.raises(AnyOrderError, match=f"damaged at line {line}"):
            read_metrics(tmp_path)
    path.write_text('{"update": 1, "section": "train", "loss": 0.25}\n')
    assert read_metrics(tmp_path) == [{"update": 1, "section": "train", "loss": 0.25}]


def test_a_full_disk_prints_no_traceback_of_another_thread(tmp_path):
    ended = subprocess.run([sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True)
    assert ended.returncode == 1 and ended.stderr == "only this: File too large\n"
