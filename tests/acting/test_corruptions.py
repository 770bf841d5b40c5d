"""Corruptions do what they promise, draw what they promise, and say what they did."""

import numpy as np
import pytest

from anyorder.acting.corruptions import (
    CORRUPTIONS,
    AttributeFlips,
    Corruption,
    DroppedFrames,
    Occlusion,
    Percept,
    RepeatedActions,
    Untold,
    corruption_generator,
)
from anyorder.envs.minigrid import View

SIZES = np.array([11, 6, 4])


def view(number=0, direction=2):
    image = np.random.default_rng(number).integers(SIZES, size=(7, 7, 3)).astype(np.uint8)
    return View(image, direction, "go to the red ball")


def shown(corruption, num_frames=200, seed=7):
    """What reaches the agent of as many different views."""
    generator, percepts = corruption_generator(seed), []
    for number in range(num_frames):
        last = percepts[-1] if percepts else None
        percepts.append(corruption.perceive(view(number, number % 4), last, generator))
    return percepts


def executed(corruption, chosen, seed=7):
    generator, done = corruption_generator(seed), []
    for action in chosen:
        done.append(corruption.execute(action, done[-1].action if done else None, generator))
    return done


def expected_share(rate, count):
    return pytest.approx(rate, abs=4 * np.sqrt(rate * (1 - rate) / count))


def test_without_corruption_everything_passes():
    seen = view()
    percept = Corruption().perceive(seen, None, corruption_generator(0))
    assert percept.view is seen and percept.unknown is None and not percept.unknown_direction
    assert [done.action for done in executed(Corruption(), [3, 1, 2])] == [3, 1, 2]


def test_occluded_cells_look_unseen_and_nothing_else_changes():
    percept, seen = Occlusion(0.5).perceive(view(), None, corruption_generator(1)), view()
    assert (percept.view.image[percept.unknown] == 0).all()
    assert np.array_equal(percept.view.image[~percept.unknown], seen.image[~percept.unknown])
    assert 0 < percept.unknown.sum() < 49 and not percept.unknown_direction


def test_the_strength_is_the_share_of_occluded_cells():
    share = np.mean([percept.unknown.mean() for percept in shown(Occlusion(0.3))])
    assert share == expected_share(0.3, 200 * 49)


def test_a_flipped_attribute_is_another_of_its_range_each_as_often():
    percepts = shown(AttributeFlips(0.4), 400)
    before = np.stack([view(number).image for number in range(400)]).astype(int)
    after = np.stack([percept.view.image for percept in percepts])
    changed = after != before
    assert changed.mean() == expected_share(0.4, changed.size)
    assert (after < SIZES).all()
    for attribute, size in enumerate(SIZES):
        moved = ((after - before) % size)[..., attribute][changed[..., attribute]]
        counts = np.bincount(moved, minlength=size)[1:]
        assert counts / len(moved) == pytest.approx(1 / (size - 1), abs=4 / np.sqrt(len(moved)))
    assert np.array_equal(np.stack([p.unknown for p in percepts]), changed.any(axis=-1)), "told: the cells that changed"


def test_a_dropped_frame_shows_the_last_that_arrived():
    percepts, arrived = shown(DroppedFrames(0.6)), 0
    assert percepts[0].unknown is None, "the first view always arrives"
    for number, percept in enumerate(percepts):
        arrived = number if percept.unknown is None else arrived
        assert np.array_equal(percept.view.image, view(arrived).image) and percept.view.direction == arrived % 4
        assert percept.unknown_direction == (percept.unknown is not None and percept.unknown.all())
    dropped = np.mean([percept.unknown_direction for percept in percepts[1:]])
    assert dropped == expected_share(0.6, 199)


class Script:
    """A generator that draws what it is given."""

    def __init__(self, *draws):
        self.draws = list(draws)

    def random(self):
        return self.draws.pop(0)


def test_sticky_actions_by_hand():
    corruption, generator, last, found = RepeatedActions(0.25), Script(0.1, 0.9, 0.2, 0.24, 0.25, 0.0), None, []
    for chosen in [0, 1, 2, 3, 4, 4]:
        done = corruption.execute(chosen, last, generator)
        last = done.action
        found.append((done.action, done.unknown))
    # The first has none to repeat; 2 and 3 become the executed 1; what is repeated is unknown even if it was chosen.
    assert found == [(0, False), (1, False), (1, True), (1, True), (4, False), (4, True)]


def test_the_strength_is_the_share_of_repeated_actions():
    done = executed(RepeatedActions(0.25), np.random.default_rng(0).integers(7, size=4000).tolist())
    assert np.mean([one.unknown for one in done]) == expected_share(0.25, 4000)


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_no_strength_changes_nothing_and_tells_nothing(kind):
    corruption = CORRUPTIONS[kind](0.0)
    for number, percept in enumerate(shown(corruption, 20)):
        assert np.array_equal(percept.view.image, view(number).image) and percept.view.direction == number % 4
        assert percept.unknown is None or not percept.unknown.any()
        assert not percept.unknown_direction
    assert executed(corruption, [4, 2, 2]) == executed(Corruption(), [4, 2, 2])


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_the_mission_is_never_touched_and_the_view_itself_is_left_alone(kind):
    seen, last = view(1), Percept(view(2))
    for corruption in (CORRUPTIONS[kind](1.0), Untold(CORRUPTIONS[kind](1.0))):
        percept = corruption.perceive(seen, last, corruption_generator(3))
        assert percept.view.mission == "go to the red ball"
    assert np.array_equal(seen.image, view(1).image) and np.array_equal(last.view.image, view(2).image)


@pytest.mark.parametrize("kind", ["occlusion", "attribute_flips"])
def test_cells_are_corrupted_whatever_the_direction(kind):
    assert [p.view.direction for p in shown(CORRUPTIONS[kind](0.9), 12)] == [n % 4 for n in range(12)]


@pytest.mark.parametrize("kind", ["occlusion", "attribute_flips"])
def test_what_is_corrupted_weakly_is_corrupted_alike_at_any_greater_strength(kind):
    weak, strong = shown(CORRUPTIONS[kind](0.1)), shown(CORRUPTIONS[kind](0.3))
    for number, (less, more) in enumerate(zip(weak, strong)):
        assert not (less.unknown & ~more.unknown).any()
        changed = less.view.image != view(number).image
        assert np.array_equal(less.view.image[changed], more.view.image[changed])
    assert sum(p.unknown.sum() for p in weak) < sum(p.unknown.sum() for p in strong)


def test_frames_and_actions_lost_at_a_weaker_strength_are_lost_at_a_greater_one():
    weak, strong = ([p.unknown_direction for p in shown(DroppedFrames(rate))] for rate in (0.1, 0.4))
    assert 0 < sum(weak) < sum(strong) and not any(w and not s for w, s in zip(weak, strong))
    weak, strong = ([d.unknown for d in executed(RepeatedActions(rate), range(200))] for rate in (0.1, 0.4))
    assert 0 < sum(weak) < sum(strong) and not any(w and not s for w, s in zip(weak, strong))


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_who_is_not_told_meets_the_same_and_knows_nothing(kind):
    corruption = CORRUPTIONS[kind](0.4)
    for told, untold in zip(shown(corruption, 30), shown(Untold(corruption), 30)):
        assert np.array_equal(told.view.image, untold.view.image) and told.view.direction == untold.view.direction
        assert untold.unknown is None and not untold.unknown_direction
    done = executed(corruption, range(30)), executed(Untold(corruption), range(30))
    assert [one.action for one in done[0]] == [one.action for one in done[1]]
    assert not any(one.unknown for one in done[1])


@pytest.mark.parametrize("kind", CORRUPTIONS)
@pytest.mark.parametrize("strength", [-0.1, 1.5])
def test_impossible_strengths_are_refused(kind, strength):
    with pytest.raises(ValueError, match="between 0 and 1"):
        CORRUPTIONS[kind](strength)


def test_corruption_does_not_follow_the_level():
    assert corruption_generator(3).random() != np.random.default_rng(3).random()
    assert corruption_generator(3).random() == corruption_generator(3).random()
