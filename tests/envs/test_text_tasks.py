"""Text environments of extras, and BabyAI in words: seeds make them, gold paths solve them.

BabyAI needs nothing else. The others are skipped where their extra, or Java, is missing; the slow ones run with
``pytest -m "tasks and slow"``.
"""

import importlib.util
import shutil

import gymnasium as gym
import numpy as np
import pytest

from anyorder.data.episodes import ExpertSource
from anyorder.envs import minigrid
from anyorder.envs.known import EXPRESS_GAMES
from anyorder.envs.making import begin_episode, make_environments
from anyorder.envs.minigrid import View
from anyorder.envs.tasks.babyai_text import in_sentences
from anyorder.envs.tasks.java import java_machine
from anyorder.errors import AnyOrderError

WALL, BALL, DOOR, BOX = 2, 6, 4, 7


def needs(module, java=True):
    """Skip a test, saying what is missing."""
    missing = [f"the package {module}"] * (importlib.util.find_spec(module) is None)
    missing += ["Java"] * (java and shutil.which("java") is None)
    return pytest.mark.skipif(bool(missing), reason=f"{' and '.join(missing)} not installed")


def play(env_id, seeds, policy="gold", noise=0.0, time_limit=120.0):
    return list(ExpertSource(env_id, policy, noise, time_limit, num_processes=1)(seeds))


def seen(**cells):
    """A view of 7 x 7 empty cells but for these; a key is ``x`` and ``y`` as in ``x3y5``."""
    image = np.full((7, 7, 3), (1, 0, 0), np.uint8)
    for place, cell in cells.items():
        image[int(place[1]), int(place[3])] = cell
    return View(image, 1, "")


def test_a_view_in_sentences():
    assert in_sentences(seen()) == "You face south and carry nothing."
    assert in_sentences(seen(x3y4=(BALL, 0, 0))) == "You face south and carry nothing. You see a red ball 2 steps ahead."
    several = seen(x3y6=(BOX, 2, 0), x0y6=(DOOR, 2, 0), x4y5=(DOOR, 4, 2), x3y3=(WALL, 5, 0), x5y6=(WALL, 5, 0))
    assert in_sentences(several) == (
        "You face south and carry a blue box. You see a locked yellow door 1 step ahead and 1 step to the right."
        " You see an open blue door 3 steps to the left. There is a wall 3 steps ahead. There is a wall 2 steps to the right."
    )


def test_a_wall_behind_what_is_not_seen_is_not_told():
    assert "wall" not in in_sentences(seen(x3y4=(0, 0, 0), x3y3=(WALL, 5, 0)))


def test_the_words_are_those_of_the_level():
    env, level = make_environments("babyai-text/GoToLocal-v0")[0], minigrid.make_env("BabyAI-GoToLocal-v0")
    text, info = env.reset(seed=5)
    view = minigrid.reset(level, 5)
    assert (text, info["mission"]) == (in_sentences(view), view.mission)
    observation, reward, *_ = level.step(1)
    assert env.step("turn right")[:2] == (in_sentences(minigrid.read_view(observation)), reward)
    assert env.step("dance")[0] == "You cannot do that."


def test_the_bot_solves_levels_in_words_and_goes_on_after_noise():
    for one in play("babyai-text/GoToRedBall-v0", range(6)) + play("babyai-text/PickupLoc-v0", range(6)):
        assert one.success and one.score == 1 and one.scores[-2] == 0
    assert sum(one.success for one in play("babyai-text/GoToRedBall-v0", range(12), "noisy_gold", 0.3)) >= 10


def test_every_level_has_its_words():
    levels = {name.removeprefix("BabyAI-") for name in gym.registry if name.startswith("BabyAI-")}
    assert {name.removeprefix("babyai-text/") for name in gym.registry if name.startswith("babyai-text/")} == levels


def test_missing_java_is_one_sentence(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    java_machine.cache_clear()
    with pytest.raises(AnyOrderError, match="A world runs on Java, which is not installed; install a Java runtime"):
        java_machine("A world", "json", "JSONDecoder")


@needs("textworld_express")
@pytest.mark.parametrize("game", EXPRESS_GAMES)
def test_gold_paths_win_every_game_of_textworldexpress(game):
    env_id = f"textworldexpress/{game}-v0"
    seeds = (0, 1, 10_000_000, 20_000_000)
    played = play(env_id, seeds)
    assert all(one.success and one.score >= 1 and one.terminated for one in played)
    assert len({one.observations for one in played}) == 4
    episode = begin_episode(make_environments(env_id)[0], env_id, 1)
    for action in played[1].actions:
        episode.step(action)
    assert episode.trajectory() == played[1], "the same actions lead to the same texts"


@needs("textworld_express")
def test_several_games_do_not_disturb_one_another():
    one, other = make_environments("textworldexpress/coin-v0+textworldexpress/coin-v0")
    first, _ = one.reset(seed=3)
    other.reset(seed=4)
    other.step("open door to north")
    assert one.step("look around")[0] == first


@pytest.mark.tasks
@pytest.mark.slow
@needs("scienceworld")
def test_a_gold_path_of_scienceworld():
    played = play("scienceworld/find-plant-v0", (0, 20_000_000), time_limit=600)
    assert all(one.success and one.score == 1 and len(one.admissible[0]) > 100 for one in played)
    assert all(action in listed for one in played for action, listed in zip(one.actions, one.admissible))
    assert make_environments("scienceworld/find-plant-v0")[0].unwrapped.variations == {
        "train": 150,
        "validation": 75,
        "test": 75,
    }


@pytest.mark.tasks
@pytest.mark.slow
@needs("scienceworld")
def test_scienceworld_words_an_action_as_its_list_does():
    env = make_environments("scienceworld/find-plant-v0")[0].unwrapped
    observation, told = env.reset(seed=0)
    assert "open door to kitchen" in told["admissible"] and env.listed_as("open door to kitchen") == "open door to kitchen"
    env.step("open door to kitchen")
    assert env.listed_as("open door to kitchen") is None, "it is open already"
    assert env.listed_as("dance with the door") == "dance with the door", "not understood"
    door = "A door to the kitchen (that is {})".format
    assert env.step("look around")[0] == observation.replace(door("closed"), door("open")), "asking changes nothing"
    _, _, _, _, told = env.step("go to kitchen")
    assert env.listed_as("pick up glass jar in kitchen") in told["admissible"]


@pytest.mark.tasks
@pytest.mark.slow
@needs("textworld", java=False)
def test_a_walkthrough_of_textworld():
    played = play("textworld/treasure-hunter-5-v0", (0, 1), time_limit=600)
    assert all(one.success and one.score == 1 for one in played) and played[0].observations != played[1].observations
