"""Signals and the clock are looked at soon, however slow the updates, and processes that are fast exchange little."""

import time

import pytest

from anyorder.training.pauses import Pauses


class Several:
    """One of two processes of which the other does as this one."""

    num_processes, device = 2, "cpu"

    def __init__(self):
        self.exchanges = 0

    def reduce(self, numbers, how):
        self.exchanges += 1
        return 2 * numbers


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def looked_up(pauses, clock, seconds, updates):
    """After which updates, where each takes so many seconds."""
    found = []
    for done in range(1, updates + 1):
        clock[0] += seconds
        if pauses.is_due(done):
            pauses.agree(done, stop=False)
            found.append(done)
    return found


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.01, [1, 10, 20, 30]), (0.5, [1, 5, 9, 10, 14, 18, 20, 24, 28, 30]), (5.0, list(range(1, 31)))],
)
def test_several_processes_agree_more_often_the_slower_they_are(clock, seconds, expected):
    accelerator = Several()
    assert looked_up(Pauses(accelerator, 0, 30, 10, 60.0), clock, seconds, 30) == expected
    assert accelerator.exchanges == len(expected)


def test_a_process_alone_looks_up_after_every_update(clock):
    alone = Several()
    alone.num_processes = 1
    assert looked_up(Pauses(alone, 0, 5, 10, 60.0), clock, 0.01, 5) == [1, 2, 3, 4, 5]
    assert alone.exchanges == 0


def test_the_state_is_saved_by_the_clock_and_any_process_may_stop_all(clock):
    pauses = Pauses(Several(), 0, 100, 10, 60.0)
    clock[0] = 59
    assert pauses.agree(1, stop=False) == (False, False)
    clock[0] = 61
    assert pauses.agree(2, stop=True) == (True, True)
    pauses.saved()
    assert pauses.agree(3, stop=False) == (False, False)
