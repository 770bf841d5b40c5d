"""What an oracle says can be known, in a world whose content is written out, of episodes played by hand."""

from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
import torch
from torch import nn

from anyorder.elements.batch import Budget, EncodedTrajectories
from anyorder.elements.grid import GridVocabulary
from anyorder.envs import minigrid
from anyorder.envs.episode import Episode
from anyorder.evaluation.baselines import Baselines
from anyorder.evaluation.knowable import knowable
from anyorder.evaluation.likelihood import score
from anyorder.evaluation.modes import Filtering, WholeTrajectory
from anyorder.evaluation.sights import NOTHING, Sights, sights
from anyorder.masking.order import reconstruct
from anyorder.masking.strategies import ForwardDynamics
from anyorder.seeding import stream

from minigrid.core.grid import Grid  # isort: skip  (after anyorder.envs, which silences what it prints)
from minigrid.core.mission import MissionSpace  # isort: skip
from minigrid.core.world_object import Ball, Door, Key  # isort: skip
from minigrid.minigrid_env import MiniGridEnv  # isort: skip

LEFT, RIGHT, FORWARD, PICKUP, DROP, TOGGLE, DONE = range(7)
AHEAD, AT_LEFT, AT_RIGHT, IN_FRONT, OWN = (3, 4), (1, 6), (5, 6), (3, 5), (3, 6)
"""Cells of the view: two steps ahead, two to the left, two to the right, one step ahead, the agent's own."""


class Room(MiniGridEnv):
    """The agent in the middle of a room looks east at a ball two steps away; north of it is a key, west a closed door."""

    def __init__(self, **options):
        super().__init__(MissionSpace(mission_func=lambda: "look around"), width=7, height=7, max_steps=50, **options)

    def _gen_grid(self, width, height):
        self.grid = Grid(width, height)
        self.grid.wall_rect(0, 0, width, height)
        for thing, place in ((Ball("red"), (5, 3)), (Key("blue"), (3, 1)), (Door("green"), (1, 3))):
            self.grid.set(*place, thing)
        self.agent_pos, self.agent_dir, self.mission = (3, 3), 0, "look around"


@pytest.fixture(scope="module", autouse=True)
def room():
    gym.register("HandMade-v0", entry_point=Room)
    yield
    del gym.registry["HandMade-v0"]


def played(*actions):
    episode = Episode(minigrid.make_env("HandMade-v0"), "HandMade-v0", 0)
    for action in actions:
        episode.step(action)
    return episode.trajectory()


def numbers(*actions):
    return sights(played(*actions), minigrid.make_env("HandMade-v0"))


class Asked:
    """An episode of which some elements are hidden.

    Args:
        actions: of the episode.
        cells: (step, cell of the view) of hidden cells, or (step, cell, attribute).
        directions, hidden_actions: steps whose direction, or action, is hidden.
    """

    def __init__(self, actions, cells=(), directions=(), hidden_actions=()):
        trajectory = played(*actions)
        self.vocabulary = GridVocabulary.of([trajectory])
        self.batch = EncodedTrajectories([trajectory], self.vocabulary).batch([0])
        self.sights, self.shape = Sights.of([trajectory]).batch([0]), self.batch.layout.grid
        self.hidden = torch.zeros_like(self.batch.layout.present)
        for step, (column, row), *attribute in cells:
            self.shape.cells(self.hidden)[0, step, 7 * column + row, attribute[0] if attribute else slice(None)] = True
        self.shape.directions(self.hidden)[0, list(directions)] = True
        self.shape.actions(self.hidden)[0, list(hidden_actions)] = True

    def known(self, mode):
        """bool ``[E]``, of all passes of a mode."""
        found = torch.zeros_like(self.hidden[0])
        for part, order, rows in mode(self.batch, stream(0, "test")):
            told = knowable(part, order, self.sights[rows, : part.layout.grid.num_frames])
            assert not (told & ~order.targets).any()
            found[: told.shape[1]] |= told.any(dim=0)
        return found[None]

    def smoothing(self):
        return self.known(WholeTrajectory(lambda layout, generator: reconstruct(layout, self.hidden)))

    def filtering(self):
        return self.known(Filtering(lambda layout, generator: reconstruct(layout, self.hidden)))

    def forward(self):
        return self.known(WholeTrajectory(ForwardDynamics()))

    def cells(self, known):
        """(step, cell) of the cells of which all that was hidden is known."""
        asked = self.shape.cells(self.hidden)[0]
        whole = (self.shape.cells(known)[0] | ~asked).all(dim=-1) & asked.any(dim=-1)
        return [(step, (cell // 7, cell % 7)) for step, cell in whole.nonzero().tolist()]

    def directions(self, known):
        return self.shape.directions(known)[0].nonzero()[:, 0].tolist()


AROUND = (LEFT, LEFT)  # east, north, west


def test_things_keep_their_numbers_while_nothing_happens_to_them():
    found = numbers(*AROUND, FORWARD, TOGGLE)
    ball, key, door = found[0][AHEAD], found[1][AHEAD], found[2][AHEAD]
    assert found[1][AT_RIGHT] == ball and found[0][AT_LEFT] == key == found[2][AT_RIGHT]
    assert found[1][AT_LEFT] == door == found[3][IN_FRONT]
    assert len({ball, key, door, NOTHING}) == 4
    assert found[4][IN_FRONT] not in {ball, key, door, NOTHING}, "an open door is another thing than a closed one"
    assert (found[:, 3, 6] == NOTHING).all(), "empty hands"


def test_what_is_out_of_sight_has_no_number():
    trajectory = played(*AROUND, FORWARD)
    found = sights(trajectory, minigrid.make_env("HandMade-v0"))
    out_of_sight = trajectory.observations[..., 0] == 0
    assert out_of_sight.any() and (found[out_of_sight] == NOTHING).all()


def test_what_was_carried_is_another_thing_where_it_is_put_down():
    found = numbers(FORWARD, PICKUP, LEFT, LEFT, DROP, DONE)
    lying, carried, dropped = found[1][IN_FRONT], found[2][OWN], found[5][IN_FRONT]
    assert len({lying, carried, dropped, NOTHING}) == 4
    assert (found[2:5, 3, 6] == carried).all() and found[6][IN_FRONT] == dropped
    assert (found[5:, 3, 6] == NOTHING).all()


def test_a_door_that_was_opened_and_closed_is_not_given_by_how_it_was():
    found = numbers(*AROUND, FORWARD, TOGGLE, TOGGLE)
    assert len(set(found[3:, 3, 5].tolist())) == 3


def test_equal_numbers_are_equal_contents(trajectories):
    for trajectory, numbers in zip(trajectories, Sights.of(trajectories).parts):
        shown = trajectory.observations.reshape(len(numbers), -1, 3)
        contents = {}
        for number, content in zip(numbers.flatten().tolist(), shown.reshape(-1, 3).tolist()):
            assert number == NOTHING or contents.setdefault(number, content) == content
        assert len(contents) > 20


def test_no_oracle_where_an_episode_cannot_be_played_again(trajectories, make_trajectory):
    assert Sights.of([*trajectories, make_trajectory(3)]) is None, "no such environment"
    other = trajectories[0].observations.copy()
    other[1, 0, 0] = (5, 0, 0)
    assert Sights.of([replace(trajectories[0], observations=other)]) is None, "another record"


def test_parts_are_cut_as_trajectories_are(trajectories):
    whole, parts = Sights.of(trajectories[:1]).parts, Sights.of(trajectories[:1], max_frames=3).parts
    cut = EncodedTrajectories(trajectories[:1], GridVocabulary.of(trajectories), max_frames=3)
    assert [len(part) for part in parts] == cut.lengths
    assert torch.equal(parts[1], whole[0][2:5])


def test_a_hidden_object_is_known_if_it_is_visible_in_any_frame():
    asked = Asked(AROUND, cells=[(0, AHEAD), (1, AHEAD), (2, AHEAD)])
    assert asked.cells(asked.smoothing()) == [(0, AHEAD), (1, AHEAD), (2, AHEAD)]
    assert asked.cells(asked.filtering()) == [(1, AHEAD), (2, AHEAD)], "the ball is not seen before"


def test_a_hidden_object_is_unknown_where_it_is_visible_nowhere():
    asked = Asked(AROUND, cells=[(0, AHEAD), (1, AT_RIGHT), (2, AT_RIGHT)])
    assert asked.cells(asked.smoothing()) == [(2, AT_RIGHT)], "the ball is hidden wherever it is in sight, the key is not"


def test_attributes_are_known_one_by_one():
    asked = Asked(AROUND, cells=[(0, AHEAD, 1), (1, AT_RIGHT, 0)])
    assert asked.cells(asked.smoothing()) == [(0, AHEAD), (1, AT_RIGHT)]
    asked = Asked(AROUND, cells=[(0, AHEAD, 1), (1, AT_RIGHT, 1), (1, AT_RIGHT, 0)])
    assert asked.cells(asked.smoothing()) == []
    assert int(asked.smoothing().sum()) == 1, "the kind of the ball alone"


def test_an_opened_door_is_not_known_from_the_closed_one():
    actions = (*AROUND, FORWARD, TOGGLE, DONE)
    asked = Asked(actions, cells=[(3, IN_FRONT), (4, IN_FRONT)])
    assert asked.cells(asked.smoothing()) == [(3, IN_FRONT), (4, IN_FRONT)]
    asked = Asked(actions, cells=[(4, IN_FRONT), (5, IN_FRONT)])
    assert asked.cells(asked.smoothing()) == []


def test_forward_knows_what_was_in_sight_before():
    actions = (*AROUND, FORWARD, TOGGLE)
    asked = Asked(actions, cells=[(1, AHEAD), (1, AT_LEFT), (1, AT_RIGHT), (2, AHEAD), (3, IN_FRONT), (4, IN_FRONT)])
    known = asked.forward()
    assert asked.cells(known) == [(1, AHEAD), (1, AT_RIGHT), (2, AHEAD), (3, IN_FRONT)]
    assert asked.directions(known) == [1, 2, 3, 4], "from the one before and the action"


ALL_OBJECTS = [(0, AHEAD), (0, AT_LEFT), (1, AHEAD), (1, AT_LEFT), (1, AT_RIGHT), (2, AHEAD), (2, AT_RIGHT)]


def test_a_direction_is_known_from_another_and_the_actions_between():
    asked = Asked(AROUND, cells=ALL_OBJECTS, directions=[0, 2])
    assert asked.directions(asked.smoothing()) == [0, 2] and asked.directions(asked.filtering()) == [2]
    asked = Asked(AROUND, cells=ALL_OBJECTS, directions=[0, 1])
    assert asked.directions(asked.smoothing()) == [0, 1], "through a chain of two actions"
    asked = Asked(AROUND, cells=ALL_OBJECTS, directions=[0, 1], hidden_actions=[1])
    assert asked.directions(asked.smoothing()) == []
    asked = Asked(AROUND, cells=ALL_OBJECTS, directions=[0, 1, 2])
    assert asked.directions(asked.smoothing()) == []


def test_views_tell_a_turn_where_they_contradict_every_other():
    asked = Asked(AROUND, directions=[1], hidden_actions=[0, 1])
    assert asked.directions(asked.smoothing()) == [1] and asked.directions(asked.filtering()) == [1]
    symmetric = Asked(AROUND, cells=ALL_OBJECTS, directions=[1], hidden_actions=[0, 1])
    assert symmetric.directions(symmetric.smoothing()) == [], "the walls look the same on all sides"
    step = Asked((FORWARD,), directions=[1], hidden_actions=[0])
    assert step.directions(step.smoothing()) == [1]


class Truth(nn.Module):
    """Sure of the truth, but takes one kind of object, if any, for nothing."""

    def __init__(self, vocabulary, wrong=-1):
        super().__init__()
        self.vocabulary, self.wrong, self.weight = vocabulary, wrong, nn.Parameter(torch.zeros(()))

    def forward(self, values, layout, order):
        answers = values[order.targets]
        return 50.0 * nn.functional.one_hot(torch.where(answers == self.wrong, 1, answers), len(self.vocabulary)).float()


def test_scores_tell_what_is_knowable_and_right_of_it():
    trajectory = played(*AROUND, FORWARD, TOGGLE)
    vocabulary = GridVocabulary.of([trajectory])
    data = EncodedTrajectories([trajectory], vocabulary)
    key = minigrid.OBJECTS.index("key")
    rest = Baselines.of(data, vocabulary), Budget(64, "frames"), 0
    scores = score(Truth(vocabulary, key), data, WholeTrajectory(ForwardDynamics()), *rest, sights=Sights.of([trajectory]))
    # In sight before: ball and key; key and door; door. Not: the door at first, the open door, and what came into sight.
    objects = [int((frame[..., 0] > 2).sum()) for frame in trajectory.observations[1:]]
    group, keys = scores.groups["object_cell"], int((trajectory.observations[1:, ..., 0] == key).sum())
    assert group.accuracy.count == sum(objects) and group.accuracy.successes == sum(objects) - keys
    assert group.knowable.successes == sum(objects) - 2 and group.knowable.count == sum(objects)
    assert group.right_of_knowable.count == sum(objects) - 2 and group.right_of_knowable.successes == sum(objects) - 2 - keys
    assert scores.groups["direction"].knowable.rate == 1.0 == scores.groups["direction"].right_of_knowable.rate
    assert scores.groups["cell"].knowable is None
    alone = score(Truth(vocabulary), data, WholeTrajectory(ForwardDynamics()), *rest)
    assert all(group.knowable is None for group in alone.groups.values())
    assert np.isclose(alone.groups["object_cell"].accuracy.rate, 1.0)
