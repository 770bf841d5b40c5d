"""How the processes of one run end."""

import os
import signal
import time
from functools import partial

import pytest
import torch
from accelerate import PartialState

from anyorder.training.launch import launch


def _the_other_comes_late(file):
    """Returns in the second process before a thread of its group has brought what the first one sends to Python."""
    PartialState()
    if os.environ["RANK"] == "0":
        time.sleep(0.2)
        torch.distributed.all_reduce(torch.ones(1))
    else:
        work = torch.distributed.all_reduce(torch.ones(1), async_op=True)
        work.get_future().then(lambda future: file.write_text(str(future.value()[0].item())))


def test_a_process_waits_for_the_threads_of_its_group(tmp_path):
    """One that did not was aborted by them, now and then, and a finished run was said to have failed."""
    launch(partial(_the_other_comes_late, tmp_path / "sum"), num_processes=2, num_threads=1)
    assert (tmp_path / "sum").read_text() == "2.0"


def _one_is_asked_to_stop():
    """Somebody asks the second process alone, before it has anything to save."""
    if os.environ["RANK"] == "1":
        os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(30)


def test_one_process_that_is_asked_to_stop_ends_the_run_as_an_interruption():
    with pytest.raises(KeyboardInterrupt):
        launch(_one_is_asked_to_stop, num_processes=2, num_threads=1)
