"""Pictures and films show what they say."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from anyorder.acting.corruptions import DroppedFrames, Occlusion
from anyorder.elements.raw_grid import mission_of, raw_actions, raw_cells
from anyorder.envs import minigrid
from anyorder.inference.decoding import most_probable
from anyorder.masking.schedules import Rate
from anyorder.masking.strategies import Cell
from anyorder.pictures.films import beliefs, episode_film, percepts
from anyorder.pictures.reconstruction import reconstruction_picture
from anyorder.pictures.tiles import HIDDEN, TILE, WRONG, draw_view, frame_cells
from anyorder.seeding import stream


@pytest.fixture(scope="module")
def model(make_model, vocabulary):
    return make_model((7, 7), vocabulary)


def test_values_go_back_to_what_minigrid_showed(encoded, trajectories, vocabulary):
    batch = encoded.batch([2])
    shape = batch.layout.grid
    assert np.array_equal(raw_cells(batch.values, shape, vocabulary)[0], trajectories[2].observations)
    assert raw_actions(batch.values, shape, vocabulary)[0, :-1].tolist() == trajectories[2].actions.tolist()
    assert mission_of(shape.words(batch.values)[0], vocabulary) == trajectories[2].mission


def test_rebuilding_changes_targets_alone(encoded, model):
    batch = encoded.batch([0, 1])
    order = Cell(Rate(0.3, 0.3))(batch.layout, stream(0, "test"))
    values = most_probable(model, batch, order)
    assert torch.equal(values[~order.targets], batch.values[~order.targets])
    assert not torch.equal(values, batch.values)


def test_a_view_is_drawn_as_minigrid_draws_it():
    env = minigrid.make_env("BabyAI-GoToRedBall-v0")
    view = minigrid.reset(env, 5)
    expected = env.unwrapped.get_frame(tile_size=TILE, agent_pov=True)
    assert np.array_equal(np.asarray(draw_view(view.image)), expected)


def test_hidden_cells_and_frames_are_where_they_belong(trajectories):
    view, cell = trajectories[0].observations[0], np.zeros((7, 7), bool)
    cell[2, 5] = True
    plain, marked = np.asarray(draw_view(view)), np.asarray(draw_view(view, cell))
    inside = np.zeros(plain.shape[:2], bool)
    inside[5 * TILE : 6 * TILE, 2 * TILE : 3 * TILE] = True
    assert np.array_equal(plain[~inside], marked[~inside])
    assert (marked[inside] == HIDDEN).all(axis=-1).any()
    picture = draw_view(view)
    frame_cells(picture, cell, WRONG)
    assert picture.getpixel((2 * TILE, 5 * TILE)) == picture.getpixel((3 * TILE - 1, 6 * TILE - 1)) == WRONG


def test_a_picture_has_three_rows_of_views(encoded, model):
    batch = encoded.batch([0])
    order = Cell(Rate(0.3, 0.3))(batch.layout, stream(0, "test"))
    page = reconstruction_picture(model, batch, order, max_frames=3)
    assert page.width > 3 * 7 * TILE and page.height > 3 * 7 * TILE
    assert page.width < 4 * 7 * TILE


def test_beliefs_come_from_the_past_alone(model, trajectories):
    trajectory = trajectories[0]
    shown = percepts(trajectory, Occlusion(0.4))
    believed = beliefs(model, trajectory, shown)
    assert believed.shape == trajectory.observations.shape
    for percept, belief in zip(shown, believed):
        assert np.array_equal(belief[~percept.unknown], percept.view.image[~percept.unknown])
    last = shown[-1]
    last.view.image[~last.unknown] = 1
    assert np.array_equal(beliefs(model, trajectory, shown)[:-1], believed[:-1])


def test_beliefs_about_a_lost_frame_do_not_depend_on_what_was_shown_instead(model, trajectories):
    trajectory = max(trajectories, key=len)
    shown = percepts(trajectory, DroppedFrames(0.5))
    lost = [percept.unknown_direction for percept in shown]
    assert 0 < sum(lost) < len(shown)
    believed = beliefs(model, trajectory, shown)
    other = [
        replace(percept, view=replace(percept.view, image=percept.view.image * 0 + 1, direction=0)) if gone else percept
        for percept, gone in zip(shown, lost)
    ]
    assert np.array_equal(beliefs(model, trajectory, other), believed)
    assert np.array_equal(believed[~np.array(lost)], trajectory.observations[~np.array(lost)])


@pytest.mark.parametrize("corruption", [Occlusion(0.3), DroppedFrames(0.3)])
def test_a_film_shows_every_frame_of_every_episode(model, trajectories, corruption):
    film = episode_film(model, trajectories[:2], corruption)
    assert len(film.pages) == sum(len(trajectory) + 1 for trajectory in trajectories[:2])
    lasts = [len(trajectories[0]), len(film.pages) - 1]
    assert [number for number, time in enumerate(film.milliseconds) if time > 1000] == lasts, "an episode's end stays"
