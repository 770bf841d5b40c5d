"""A grid can be recorded like any other environment."""

import gymnasium as gym

from anyorder.envs.making import make_environments
from anyorder.envs.recording import FieldEpisode
from anyorder.envs.worded import worded

FORWARD = 2


def test_a_grid_becomes_an_episode_of_fields_that_says_whether_it_succeeded():
    (grid,) = make_environments("MiniGrid-Empty-5x5-v0")
    episode = FieldEpisode(worded(grid), "MiniGrid-Empty-5x5-v0", 0)
    assert episode.mission == "get to the green goal square"
    assert episode.last_record["image"].shape == (7, 7, 3) and episode.last_record["direction"].shape == ()
    assert episode.success in (None, False)
    for action in (FORWARD, FORWARD, 1, FORWARD, FORWARD):
        episode.step(action)
    assert episode.over and episode.trajectory().success is True


def test_another_environment_stays_as_it_is():
    env = gym.make("CartPole-v1")
    assert worded(env) is env
