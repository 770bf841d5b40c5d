"""Known environments: registered without their packages; experts act where they are known, alone or with noise."""

import subprocess
import sys

import gymnasium as gym
import numpy as np
import pytest

from anyorder.cli import main
from anyorder.data.episodes import play_episode
from anyorder.envs.experts import make_expert
from anyorder.envs.known import KNOWN, KnownEnvironment, known_environment, packages_of
from anyorder.envs.making import make_environments
from anyorder.envs.registered import full_ids
from anyorder.errors import AnyOrderError


def test_every_id_belongs_to_what_is_known():
    assert known_environment("metaworld/door-open-v3").extra == "metaworld"
    assert known_environment("module:pointmaze/UMaze-v3").extra == "control" and known_environment("Nothing-v0") is None
    for prefix, number in (("pointmaze/", 3), ("metaworld/", 100), ("minihack/", 4)):
        assert sum(name.startswith(prefix) for name in gym.registry) == number
    assert packages_of("metaworld/reach-v3+metaworld/push-v3+CartPole-v1") == ("metaworld", "mujoco")


def test_to_know_them_imports_none_of_their_packages():
    packages = ["mujoco", "metaworld", "gymnasium_robotics", "minihack", "nle", "Box2D", "torch"]
    run = f"import sys, anyorder.commands.environments; sys.exit(any(name in sys.modules for name in {packages}))"
    assert subprocess.run([sys.executable, "-c", run]).returncode == 0


def test_the_command_lists_them(capsys):
    main(["environments"])
    printed = capsys.readouterr().out
    assert all(f"{one.prefix}*" in printed and (not one.extra or f"anyorder[{one.extra}]" in printed) for one in KNOWN)


def test_a_package_that_is_missing_is_named_with_its_extra(monkeypatch):
    for package in ("metaworld", "metaworld.env_dict"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(AnyOrderError, match=r"metaworld/push-v3.*could not be made.*pip install 'anyorder\[metaworld\]'"):
        make_environments("metaworld/push-v3")


@pytest.mark.parametrize(
    ("typed", "full"),
    [
        ("scienceworld:find-plant", "scienceworld/find-plant-v0"),
        ("scienceworld/find-plant", "scienceworld/find-plant-v0"),
        ("textworldexpress:coin+textworldexpress/simonsays-v0", "textworldexpress/coin-v0+textworldexpress/simonsays-v0"),
        ("BabyAI-GoToLocal-v0", "BabyAI-GoToLocal-v0"),
        ("BabyAI-GoToLocal", "BabyAI-GoToLocal"),
        ("my_worlds:Row-v0", "my_worlds:Row-v0"),
        ("scienceworld:no-such-task", "scienceworld:no-such-task"),
    ],
)
def test_a_task_of_a_world_may_be_typed_shorter(typed, full):
    assert full_ids(typed) == full


def test_the_expert_of_babyai_is_its_bot():
    (env,) = make_environments("BabyAI-GoToObj-v0")
    ours, bots = (play_episode(env, make_expert(name), 5, 10.0) for name in ("expert", "bot"))
    noisy, noisy_bots = (play_episode(env, make_expert(name, 0.5), 5, 10.0) for name in ("noisy_expert", "noisy_bot"))
    assert ours.actions.tolist() == bots.actions.tolist() and noisy.actions.tolist() == noisy_bots.actions.tolist()


@pytest.fixture
def always_left(monkeypatch):
    """CartPole has an expert: one that pushes to the left."""
    known = KnownEnvironment("CartPole", "", "", "toy_cards:push_left")
    monkeypatch.setattr("anyorder.envs.known.KNOWN", (known,))


@pytest.mark.usefixtures("always_left")
def test_noise_is_the_share_of_random_actions_and_a_function_of_the_seed():
    (env,) = make_environments("CartPole-v1")
    act = make_expert("noisy_expert", 0.4)(env, 3)
    share = np.mean([act(None) for _ in range(4000)])
    assert share == pytest.approx(0.2, abs=0.02)  # half of the random actions are the expert's own
    again, other = make_expert("noisy_expert", 0.4)(env, 3), make_expert("noisy_expert", 0.4)(env, 4)
    first = [make_expert("noisy_expert", 0.4)(env, 3)(None) for _ in range(3)]
    assert first == [again(None)] * 3
    assert [again(None) for _ in range(50)] != [other(None) for _ in range(50)]
    assert {make_expert("expert")(env, 0)(None) for _ in range(3)} == {0}


def test_the_random_policy_leaves_the_environments_random_numbers_alone():
    (env,) = make_environments("Pendulum-v1")
    env.action_space.seed(0)
    expected = env.action_space.sample()
    env.action_space.seed(0)
    acts = [make_expert("random")(env, seed) for seed in (7, 7, 8)]
    ours, same, other = ([act(None).item() for _ in range(5)] for act in acts)
    assert ours == same != other
    assert env.action_space.sample() == expected
