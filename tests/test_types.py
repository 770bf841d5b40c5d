"""A record of an episode checks itself where it is born."""

import pytest

from anyorder.types import TextTrajectory, Turn

TASK, SEEN = Turn("mission", "user", "find it", False), Turn("observation", "user", "a door", True)
DONE = Turn("action", "assistant", "open it", True)


def test_steps_and_mission():
    trajectory = TextTrajectory("a:1", (TASK, TASK, DONE, SEEN, DONE))
    assert trajectory.steps == (-1, -1, 0, 1, 1) and len(trajectory) == 2
    assert trajectory.mission == "find it\n\nfind it"


@pytest.mark.parametrize(
    ("turns", "message"),
    [
        ((TASK,), "at least one action; found none"),
        ((DONE, TASK), "the mission must come first; found action, mission"),
        ((TASK, DONE, DONE), "found two actions in a row"),
        ((SEEN, SEEN, DONE), "found two observations in a row"),
        ((TASK, Turn("action", "assistant", "open", False)), "asked about; found none"),
    ],
)
def test_what_is_no_trajectory_is_refused(turns, message):
    with pytest.raises(ValueError, match=message):
        TextTrajectory("a:1", turns)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (("reward", "user", "1", True), "found 'reward'"),
        (("action", "", "open", True), "a role and a text"),
        (("action", "assistant", None, True), "found the role 'assistant' and NoneType as text"),
        (("mission", "user", "find it", True), "must not be asked about"),
    ],
)
def test_what_is_no_turn_is_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Turn(*fields)
