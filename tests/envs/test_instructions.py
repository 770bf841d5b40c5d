"""Words become what BabyAI verifies, and episodes are judged by BabyAI's own rules."""

import numpy as np
import pytest

from anyorder.data.episodes import ExpertSource
from anyorder.envs import minigrid
from anyorder.envs.instructions import fulfilled, instruction

LEVELS = ["GoToLocal", "PickupLoc", "PutNextLocal", "GoToSeq", "Open", "Synth"]


@pytest.mark.parametrize("level", LEVELS)
def test_an_episode_of_the_bot_fulfils_its_own_mission(level):
    env_id = f"BabyAI-{level}-v0"
    env, episodes = minigrid.make_env(env_id), list(ExpertSource(env_id, num_processes=1)(range(12)))
    missions = sorted({one.mission for one in episodes})
    assert len(missions) > 3
    found = [fulfilled(env, one.seed, one.actions, missions) for one in episodes if one.success]
    assert all(one.mission in fitting for one, fitting in zip([one for one in episodes if one.success], found))
    assert np.mean([len(fitting) for fitting in found]) < len(missions) / 2, "most instructions are of other episodes"


def test_an_episode_that_stops_before_the_goal_fulfils_nothing():
    (episode,) = ExpertSource("BabyAI-GoToLocal-v0", num_processes=1)(range(3, 4))
    env = minigrid.make_env("BabyAI-GoToLocal-v0")
    assert len(episode) > 1
    assert fulfilled(env, episode.seed, episode.actions[:-1], [episode.mission]) == []
    assert fulfilled(env, episode.seed, episode.actions, [episode.mission]) == [episode.mission]


def test_the_article_makes_no_difference():
    (episode,) = ExpertSource("BabyAI-GoToLocal-v0", num_processes=1)(range(3, 4))
    other = episode.mission.replace(" the ", " a ") if " the " in episode.mission else episode.mission.replace(" a ", " the ")
    env = minigrid.make_env("BabyAI-GoToLocal-v0")
    assert fulfilled(env, episode.seed, episode.actions, [other, episode.mission]) == [other, episode.mission]
    assert fulfilled(env, episode.seed, episode.actions, ["go to the purple box on your left"]) == []


@pytest.mark.parametrize(
    "words", ["", "go home", "pick up the door", "open a red key", "go to the red", "go to the ball and go"]
)
def test_what_nobody_says_is_no_instruction(words):
    assert instruction(words) is None


def test_other_environments_have_no_instructions():
    env = minigrid.make_env("MiniGrid-Empty-5x5-v0")
    assert fulfilled(env, 0, np.array([2]), ["go to the ball"]) is None
