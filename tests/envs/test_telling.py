"""Episodes in words: what is recorded, what a policy is shown, and what cannot be."""

import gymnasium as gym
import pytest
from toy_worlds import RowOfRooms

from anyorder.data.episodes import play_episode
from anyorder.data.manifest import Failure
from anyorder.envs.episode import EpisodeFailed
from anyorder.envs.experts import make_expert
from anyorder.envs.making import begin_episode, make_environments
from anyorder.envs.played_text import PlayedText, played_text
from anyorder.envs.splits import split_of_seed, task_variation
from anyorder.envs.telling import TextEpisode, is_text_env, tasks_of
from anyorder.errors import AnyOrderError


@pytest.fixture
def env():
    return gym.make("ToyRow-v0", disable_env_checker=True)


def play(env, policy, seed, noise=0.0):
    return play_episode(env, make_expert(policy, noise), seed, 10.0)


def test_a_seed_means_a_task_of_its_split():
    counts = {"train": 7, "validation": 3, "test": 4}
    assert task_variation(8, counts) == ("train", 1)
    assert task_variation(10_000_002, counts) == ("validation", 2)
    assert task_variation(20_000_005, counts) == task_variation(30_000_005, counts) == ("test", 1)
    assert [split_of_seed(seed) for seed in (0, 19_999_999, 99_999_999)] == ["train", "validation", "test"]


def test_environments_that_take_turns_have_so_many_tasks(env):
    assert tasks_of([env]) == RowOfRooms.variations
    assert tasks_of([env] * 3) == {"train": 120, "validation": 30, "test": 30}
    seeds = [(seed % 3, task_variation(seed, RowOfRooms.variations)) for seed in range(121)]
    assert len(set(seeds[:120])) == 120 and seeds[120] == seeds[0]


def test_the_gold_path_is_recorded_as_it_was_played(env):
    found = play(env, "gold", 2)
    assert isinstance(begin_episode(env, "ToyRow-v0", 2), TextEpisode) and is_text_env(env)
    assert found.mission == "Take the lamp." and found.actions == ("go on", "go on", "go on", "take lamp")
    assert found.observations[0] == "You are in the cellar." and found.observations[-1].endswith("There is a lamp.")
    assert found.scores == (0, 0, 0, 0, 1) and found.rewards == (0, 0, 0, 1)
    assert found.success and found.terminated and not found.truncated
    assert set(found.admissible) == {("go back", "go on", "take lamp", "wait")}


def test_a_conversation_gives_the_episode_back(env):
    found = play(env, "random", 3)
    turns = found.conversation().turns
    assert [turn.part for turn in turns] == ["mission", *["observation", "action"] * len(found), "observation"]
    assert played_text(found.conversation()) == found
    assert found.turns(until=1) == turns[:4]


def test_admissible_actions_of_every_kind_are_packed():
    admissible = (("a", "b"), (), ("b", "c"), ("b", "c"))
    episode = PlayedText("x", 0, "", ("",) * 4, ("a",) * 3, (0.0,) * 3, (0.0,) * 4, admissible, None, False, True)
    assert played_text(episode.conversation()) == episode
    with pytest.raises(ValueError, match="3 actions must come with 4 scores; found 3"):
        PlayedText("x", 0, "", ("",) * 4, ("a",) * 3, (0.0,) * 3, (0.0,) * 3, admissible, None, False, True)


def test_random_actions_depend_on_the_seed_alone(env):
    first, again, other = (play(env, "random", seed) for seed in (3, 3, 7))
    assert first == again and first.actions != other.actions


def test_noise_strays_and_the_gold_path_goes_on(env):
    found = [play(env, "noisy_gold", seed, 0.4) for seed in range(30)]
    assert 20 < sum(one.success for one in found) < 30, "most come back to their path, some never do"
    assert any(len(one) > len(play(env, "gold", seed)) for seed, one in enumerate(found) if one.success)
    assert all(one.actions[-1] == "take lamp" if one.success else len(one) == 20 for one in found)


def test_what_is_not_known_is_refused(env):
    silent = gym.make("ToyRowSilent-v0", disable_env_checker=True)
    with pytest.raises(AnyOrderError, match=r'random actions need info\["admissible"\]'):
        play(silent, "random", 0)
    assert play(silent, "gold", 0).admissible == ((),) * 3
    episode = TextEpisode(env, "ToyRow-v0", 0)
    with pytest.raises(EpisodeFailed, match="an action must be a text; found int"):
        episode.step(1)
    falling = gym.make("ToyRowFalling-v0", disable_env_checker=True)
    assert play(falling, "gold", 3) == Failure(3, "OSError: the row fell down")


def test_a_path_that_does_not_end_the_episode_is_a_failure(env, monkeypatch):
    monkeypatch.setattr(RowOfRooms, "gold_path", lambda self: ["wait"])
    assert play(env, "gold", 0).reason.endswith("the gold path of 1 actions does not end the episode")


def test_a_path_is_followed_in_the_words_of_the_list(env, monkeypatch):
    """Without the actions that would do nothing."""
    monkeypatch.setattr(RowOfRooms, "gold_path", lambda self: ["onward", "stay"] * self.last + ["stay", "grab lamp"])
    words = {"onward": "go on", "grab lamp": "take lamp", "stay": None}
    monkeypatch.setattr(RowOfRooms, "listed_as", lambda self, action: words[action], raising=False)
    played = play(env, "gold", 2)
    assert played.success and played.actions == ("go on", "go on", "go on", "take lamp")
    strayed = [play(env, "noisy_gold", seed, 0.4) for seed in range(30)]
    assert sum(one.success for one in strayed) > 20 and {action for one in strayed for action in one.actions} <= {
        "go on",
        "go back",
        "wait",
        "take lamp",
    }


def test_words_and_fields_do_not_mix():
    with pytest.raises(AnyOrderError, match="must have one observation space"):
        make_environments("ToyRow-v0+CartPole-v1")
