"""How the processes of one run end."""

import os
import time
from functools import partial

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
