"""Environments are made by id, are silent, and show what the vocabulary says."""

import subprocess
import sys

import numpy as np
import pytest

from anyorder.envs import minigrid
from anyorder.errors import AnyOrderError

NOISY_LEVEL = "BabyAI-GoToObjDoor-v0"  # its seeds 0 and 1 print "Sampling rejected: ..."


def test_vocabulary_sizes():
    sizes = (minigrid.NUM_OBJECTS, minigrid.NUM_COLORS, len(minigrid.DOOR_STATES), minigrid.NUM_ACTIONS)
    assert sizes == (11, 6, 3, 7)
    assert minigrid.OBJECTS[:3] == ("unseen", "empty", "wall")
    assert minigrid.ACTIONS[:3] == ("left", "right", "forward")


@pytest.mark.parametrize(
    "env_id",
    ["BabyAI-GoToRedBall-v0", "BabyAI-BossLevel-v0", "MiniGrid-DoorKey-8x8-v0", "MiniGrid-LavaCrossingS9N1-v0"],
)
def test_views_stay_within_the_vocabulary(env_id):
    env = minigrid.make_env(env_id)
    generator = np.random.default_rng(0)
    view = minigrid.reset(env, seed=0)
    for _ in range(50):
        assert view.image.dtype == np.uint8 and view.image.ndim == 3
        limits = (minigrid.NUM_OBJECTS, minigrid.NUM_COLORS, minigrid.NUM_STATES)
        assert (view.image.reshape(-1, 3).max(axis=0) < limits).all()
        assert 0 <= view.direction < minigrid.NUM_DIRECTIONS and type(view.direction) is int
        assert view.mission
        observation, _, terminated, truncated, _ = env.step(int(generator.integers(7)))
        view = minigrid.read_view(observation)
        if terminated or truncated:
            break


def test_the_carried_object_is_in_the_agents_cell():
    env = minigrid.make_env("BabyAI-GoToRedBall-v0")
    view = minigrid.reset(env, seed=0)
    width, height, _ = view.image.shape
    assert view.image[width // 2, height - 1, 0] == minigrid.OBJECTS.index("empty")
    env.unwrapped.carrying = next(cell for cell in env.unwrapped.grid.grid if cell and cell.type == "ball")
    carrying = minigrid.read_view(env.step(6)[0])
    assert carrying.image[width // 2, height - 1, 0] == minigrid.OBJECTS.index("ball")


def test_unknown_id_is_named_with_close_ones():
    with pytest.raises(AnyOrderError, match="'BabyAI-GoToRedBal-v0'.*did you mean BabyAI-GoToRedBall-v0"):
        minigrid.make_env("BabyAI-GoToRedBal-v0")
    with pytest.raises(AnyOrderError, match="no environment 'nonsense'"):
        minigrid.make_env("nonsense")
    with pytest.raises(AnyOrderError, match="could not be made"):
        minigrid.make_env("no_such_module:Nonsense-v0")


def test_an_environment_with_other_observations_is_refused():
    with pytest.raises(AnyOrderError, match="image, direction and mission; found .* in 'CartPole-v1'"):
        minigrid.make_env("CartPole-v1")


def test_reset_is_silent_and_our_own_prints_are_not(capsys):
    env = minigrid.make_env(NOISY_LEVEL)
    env.reset(seed=0)
    assert "Sampling rejected" in capsys.readouterr().out, "the level no longer prints: choose another"
    minigrid.reset(env, seed=0)
    print("ours")
    assert capsys.readouterr().out == "ours\n"


def test_importing_and_making_is_silent():
    code = "from anyorder.envs.minigrid import make_env; make_env('MiniGrid-MultiRoom-N4-S5-v0')"  # "out of date"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "" and done.stderr == ""
