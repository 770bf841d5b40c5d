"""A command that is killed loses nothing, leaves nothing, and ends as it would have when it is run again.

`tests/campaign/kills.py` kills all commands, at many moments, as long as one likes.
"""

from random import Random
from signal import SIGKILL, SIGTERM

import pytest
from killing import CASES, Target, kill, materials, uninterrupted

IN_TWO = "collect, 2 processes"
PARENT_KILLED, PARENT_TERMINATED, WORKER_KILLED = (
    Target("parent", SIGKILL, (-SIGKILL,)),
    Target("parent", SIGTERM, (130,)),
    Target("worker", SIGKILL, (2,)),
)
KILLS = [
    (IN_TWO, PARENT_KILLED),
    (IN_TWO, PARENT_TERMINATED),
    (IN_TWO, WORKER_KILLED),
    pytest.param("train", PARENT_KILLED, marks=pytest.mark.slow),
]


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    return materials(tmp_path_factory.mktemp("read"), "data")


@pytest.fixture(scope="module")
def whole(places, tmp_path_factory):
    """``whole(name)``: what `uninterrupted` finds."""
    found = {}

    def of(name):
        if name not in found:
            found[name] = uninterrupted(CASES[name], places, tmp_path_factory.mktemp("whole"))
        return found[name]

    return of


@pytest.mark.parametrize(("name", "target"), KILLS, ids=lambda one: str(one))
def test_killed_and_run_again(name, target, places, whole, tmp_path):
    expected, _, seconds = whole(name)
    found = kill(CASES[name], target, places, tmp_path, expected, seconds / 3, Random(0))
    assert expected and found.faults == []
