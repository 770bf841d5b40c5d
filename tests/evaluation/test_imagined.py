"""Figures of imagination are counts of what can be counted by hand."""

from dataclasses import replace

import numpy as np
import pytest

from anyorder.acting.imagination import given, imagine
from anyorder.evaluation.beginnings import random_beginnings
from anyorder.evaluation.imagined import NO_ACTION, Prefix, imagination_table, score_imagination
from anyorder.evaluation.whereabouts import places, seen_before
from anyorder.pictures.imagined_pictures import ImaginedFuture, imagination_film, imagination_strip
from anyorder.pictures.tiles import WRONG


@pytest.fixture(scope="module")
def model(make_model, vocabulary):
    return make_model((7, 7), vocabulary)


def test_a_prefix_ends_with_its_start_and_goes_on_with_true_actions(model, trajectories):
    trajectory = trajectories[0]
    prefix = Prefix(trajectory, 2)
    encoded = prefix.history(model).encoded()
    assert len(encoded.frames) == 3
    first = model.vocabulary.frame_offsets(49)
    assert np.array_equal((encoded.frames.numpy() - first)[:, :-3], trajectory.observations[:3].reshape(3, -1))
    assert (encoded.frames.numpy() - first)[:2, -1].tolist() == trajectory.actions[:2].tolist()
    beyond = len(trajectory) - 2 + 2
    assert prefix.actions(beyond).tolist() == [*trajectory.actions[2:], NO_ACTION, NO_ACTION]
    for start in (-1, len(trajectory)):
        with pytest.raises(ValueError, match=f"between 0 and {len(trajectory) - 1}"):
            Prefix(trajectory, start)


def test_starts_are_uniform_and_repeatable(make_trajectory):
    trajectories = [make_trajectory(4)] * 2000
    starts = [prefix.start for prefix in random_beginnings(Prefix, trajectories, seed=0)]
    assert starts == [prefix.start for prefix in random_beginnings(Prefix, trajectories, seed=0)]
    assert starts != [prefix.start for prefix in random_beginnings(Prefix, trajectories, seed=1)]
    np.testing.assert_allclose(np.bincount(starts, minlength=4) / 2000, 0.25, atol=0.05)


def test_figures_are_those_counted_by_hand(model, trajectories):
    prefixes = [Prefix(t, start) for t, start in zip(trajectories, (0, 1, 2, 0))]
    horizon = 4
    counted = {}
    for prefix in prefixes:
        imagined = imagine(model, [prefix.history(model)], given([prefix.actions(horizon)]), horizon)
        for h in range(1, horizon + 1):
            if prefix.start + h > len(prefix.trajectory):
                continue
            at = prefix.start + h
            truth, direction = prefix.trajectory.observations[at], prefix.trajectory.directions[at]
            seen = seen_before(prefix.trajectory, prefix.start)[h - 1]
            now, faced = prefix.trajectory.observations[prefix.start], prefix.trajectory.directions[prefix.start]
            guesses = ((imagined.observations[0, h - 1], imagined.directions[0, h - 1]), (now, faced))
            for who, (cells, towards) in zip(("model", "copy_last"), guesses):
                whole = towards == direction
                for x in range(7):
                    for y in range(7):
                        right = bool((cells[x, y] == truth[x, y]).all())
                        whole &= right
                        groups = ["cell"] + ["object_cell"] * int(truth[x, y, 0] > 2)
                        groups += ["seen_cell"] * int(seen[x, y])
                        groups += ["seen_object_cell"] * int(seen[x, y] and truth[x, y, 0] > 2)
                        groups += ["changed_cell"] * int((now[x, y] != truth[x, y]).any())
                        for group in groups:
                            counted.setdefault((h, group, who), []).append(right)
                counted.setdefault((h, "direction", who), []).append(towards == direction)
                counted.setdefault((h, "frame", who), []).append(whole)
    found = {
        (score.horizon, name, who): (getattr(group, who).successes, getattr(group, who).count)
        for score in score_imagination(model, prefixes, horizon)
        for name, group in score.groups.items()
        for who in ("model", "copy_last")
    }
    assert found == {key: (sum(map(int, answers)), len(answers)) for key, answers in counted.items()}


def test_batches_add_up(model, trajectories, monkeypatch):
    prefixes = random_beginnings(Prefix, trajectories, seed=0)
    whole = score_imagination(model, prefixes, 3)
    monkeypatch.setattr("anyorder.evaluation.imagined.PREFIXES_AT_ONCE", 3)
    sizes = []
    assert score_imagination(model, prefixes, 3, on_batch=sizes.append) == whole
    assert sizes == [3, 3, 2]


def test_nothing_is_scored_after_the_end(model, trajectories):
    trajectory = trajectories[0]
    (score,) = score_imagination(model, [Prefix(trajectory, len(trajectory) - 1)], 5)
    assert score.horizon == 1 and score.groups["frame"].model.count == 1


def test_the_true_future_is_not_shown(model, trajectories):
    trajectory = trajectories[0]
    observations = trajectory.observations.copy()
    observations[2:] = (observations[2:] + 1) % (11, 6, 4)
    other = replace(trajectory, observations=observations)
    one, two = (ImaginedFuture.of(model, Prefix(t, 1), 2) for t in (trajectory, other))
    assert np.array_equal(one.observations, two.observations) and np.array_equal(one.directions, two.directions)


def test_the_copy_is_right_where_nothing_moves(model, trajectories):
    trajectory = trajectories[0]
    still = replace(
        trajectory,
        observations=np.repeat(trajectory.observations[:1], len(trajectory) + 1, axis=0),
        directions=np.repeat(trajectory.directions[:1], len(trajectory) + 1),
    )
    for score in score_imagination(model, [Prefix(still, 0)], 2):
        assert "changed_cell" not in score.groups
        assert all(group.copy_last.rate == 1 for group in score.groups.values())


def test_the_table_has_a_row_per_horizon_and_group(model, trajectories):
    scores = score_imagination(model, random_beginnings(Prefix, trajectories, 0), 2)
    assert imagination_table(scores).row_count == sum(len(score.groups) for score in scores) >= 8
    as_json = scores[0].to_json()
    assert as_json["horizon"] == 1 and as_json["groups"]["frame"]["model"]["count"] == len(trajectories)


def test_pictures_frame_what_is_wrong(model, trajectories):
    prefix = Prefix(trajectories[0], 1)
    wrong = ImaginedFuture.of(model, prefix, 3)
    truth = slice(2, 5)
    right = ImaginedFuture(prefix, trajectories[0].observations[truth], trajectories[0].directions[truth])

    def red(picture):
        return int((np.array(picture.convert("RGB")) == WRONG).all(axis=-1).sum())

    num_wrong = int((wrong.observations != trajectories[0].observations[truth]).any(axis=-1).sum())
    assert num_wrong > 0 and red(imagination_strip(right)) == 0
    # A frame of width 3 around a tile of 28: 28^2 - 22^2 pixels; titles add a few.
    assert 300 * num_wrong <= red(imagination_strip(wrong)) < 300 * num_wrong + 3000
    film = imagination_film(wrong)
    assert len(film.pages) == 4 and min(film.pages[0].size) > 200


def test_a_film_ends_with_its_episode(model, trajectories):
    last = len(trajectories[0]) - 1
    assert len(ImaginedFuture.of(model, Prefix(trajectories[0], last), 5).observations) == 1


def test_places_agree_with_what_the_views_show(trajectories):
    for trajectory in trajectories:
        shown = {}
        for place, cell, step in zip(
            places(trajectory).reshape(-1, 2).tolist(),
            trajectory.observations.reshape(-1, 3).tolist(),
            np.repeat(np.arange(len(trajectory) + 1), 49),
        ):
            if cell[0] != 0:  # in sight
                # Nothing moves in this level but the agent, whose own cell shows what it carries: nothing.
                assert shown.setdefault(tuple(place), cell) == cell, (trajectory.seed, step, place)
        assert len(shown) > 10


def test_what_was_in_sight_is_what_was_seen(trajectories):
    trajectory = trajectories[0]
    seen, where = seen_before(trajectory, 1), places(trajectory)
    assert seen.shape == (len(trajectory) - 1, 7, 7) and seen.any() and not seen.all()
    in_sight = {
        tuple(where[f, x, y]) for f in (0, 1) for x in range(7) for y in range(7) if trajectory.observations[f, x, y, 0]
    }
    for step, x, y in np.ndindex(seen.shape):
        assert seen[step, x, y] == (tuple(where[step + 2, x, y]) in in_sight)
