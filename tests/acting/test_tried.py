"""What was tried is remembered by observation, as far as it is known."""

import numpy as np

from anyorder.acting.policy import History
from anyorder.acting.tried import TriedActions
from anyorder.elements.grid import GridVocabulary
from anyorder.envs.minigrid import View

LEFT, RIGHT, FORWARD = range(3)


def view(seed, direction=0):
    image = np.random.default_rng(seed).integers([3, 6, 1], size=(7, 7, 3)).astype(np.uint8)
    return View(image, direction, "go")


def holes(seed, rate=0.3):
    return np.random.default_rng(seed).random((7, 7)) < rate


def history():
    return History(GridVocabulary(("<unknown>", "go")), "go")


def test_an_action_is_counted_after_the_same_observation_only():
    episode = history()
    for number, action in ((0, LEFT), (1, RIGHT), (0, LEFT), (0, FORWARD)):
        episode.observe(view(number))
        episode.act(action)
    episode.observe(view(0))
    assert episode.tried().tolist() == [2, 0, 1, 0, 0, 0, 0]
    episode.observe(view(0, direction=1))
    assert not episode.tried().any()


def test_other_holes_do_not_make_the_agent_forget():
    episode = history()
    for seed in range(3):
        episode.observe(view(0), holes(seed))
        episode.act(FORWARD)
    episode.observe(view(0), holes(9))
    assert episode.tried().tolist() == [0, 0, 3, 0, 0, 0, 0]
    episode.observe(view(0))
    assert episode.tried()[FORWARD] == 3, "and where nothing is hidden any more"
    episode.observe(view(1), holes(9))
    assert not episode.tried().any(), "another view is another one"


def test_a_hole_is_no_value():
    """What is shown in an unknown cell does not count, whether it agrees or not."""
    episode, hidden = history(), holes(0)
    episode.observe(view(0), hidden)
    episode.act(LEFT)
    image = view(0).image.copy()
    image[hidden] = 0
    episode.observe(View(image, 0, "go"), holes(0))
    assert episode.tried()[LEFT] == 1
    image[~hidden] = 9
    episode.observe(View(image, 0, "go"), holes(0))
    assert not episode.tried().any()


def test_what_is_wholly_unknown_is_like_nothing():
    episode, everything = history(), np.ones((7, 7), bool)
    episode.observe(view(0))
    episode.act(LEFT)
    episode.observe(view(0), everything, unknown_direction=True)
    assert not episode.tried().any()
    episode.act(LEFT)
    episode.observe(view(0))
    assert episode.tried()[LEFT] == 1, "not also that after a view that was lost"


def test_an_action_that_was_perhaps_not_executed_was_not_tried():
    episode = history()
    episode.observe(view(0))
    episode.act(LEFT, unknown=True)
    episode.observe(view(0))
    assert not episode.tried().any()


def test_holes_count_as_comparing_one_by_one():
    generator = np.random.default_rng(0)
    tried, taken = TriedActions(3), []
    for _ in range(200):
        values, known = generator.integers(2, size=8), generator.random(8) < 0.7
        expected = np.zeros(3)
        for other, other_known, action in taken:
            common = known & other_known
            expected[action] += common.mean() >= 1 / 8 and (values[common] == other[common]).all()
        assert tried.after(values, known).tolist() == expected.tolist()
        action = int(generator.integers(3))
        tried.add(values, known, action)
        taken.append((values, known, action))
