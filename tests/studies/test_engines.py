"""Pieces of work on the cores of this machine: all are done, and one that takes its process with it costs no other."""

import os
import signal
import time

import pytest

from anyorder.studies.engines import Cores, Lost


def square(item):
    if item == "deadly":
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGKILL)
    return item * item


@pytest.mark.parametrize("num_workers", [1, 2])
def test_every_item_is_worked_on_once(num_workers):
    assert sorted(Cores(num_workers)(square, range(7))) == [0, 1, 4, 9, 16, 25, 36]
    assert list(Cores(num_workers)(square, [])) == []


def test_an_item_that_kills_its_process_is_named_and_the_others_are_done():
    results = list(Cores(2)(square, [1, "deadly", 2, "deadly", 3, 4]))
    assert sorted(result for result in results if not isinstance(result, Lost)) == [1, 4, 9, 16]
    assert [result for result in results if isinstance(result, Lost)] == [
        Lost("deadly", "its process was killed (out of memory?)")
    ] * 2
