"""Tasks whose packages are extras: seeds make them, experts solve them, and the spec has their fields.

pip install 'anyorder[control,metaworld]', then pytest -m tasks; MiniHack as docs/environments.md says.
"""

import numpy as np
import pytest

from anyorder.data.episodes import ExpertSource
from anyorder.elements.fitting import fit_spec
from anyorder.envs.known import STEPS_STAYED
from anyorder.envs.making import make_environments
from anyorder.envs.tasks.ways import DIAGONAL, STRAIGHT, shortest_way

MT10 = (
    *("reach", "push", "pick-place", "door-open", "drawer-open", "drawer-close", "button-press-topdown", "peg-insert-side"),
    *("window-open", "window-close"),
)


def play(env_id, seeds, policy="expert", noise=0.0):
    return list(ExpertSource(env_id, policy, noise, 60.0, num_processes=1)(seeds))


def equal(one, other):
    return one.rewards.tolist() == other.rewards.tolist() and all(
        np.array_equal(array, theirs[path])
        for ours, theirs in ((one.observations, other.observations), (one.actions, other.actions))
        for path, array in ours.items()
    )


def check(env_id, seeds, least):
    """The expert's success, and that an episode is a function of its seed, whatever was played before."""
    played = play(env_id, seeds)
    assert sum(one.success for one in played) >= least
    assert equal(play(env_id, [seeds[3]])[0], played[3]) and not equal(played[2], played[3])
    assert all(one.terminations[-1] for one in played if one.success)
    return played


def test_the_shortest_way():
    free = np.array([[1, 1, 0], [0, 1, 0], [0, 1, 1]], bool)
    assert shortest_way(free, (0, 0), (2, 2)) == [(0, 0), (0, 1), (1, 1), (2, 1), (2, 2)]
    assert len(shortest_way(free, (0, 0), (2, 2), STRAIGHT + DIAGONAL)) == 3
    assert shortest_way(free, (0, 0), (0, 2)) == [(0, 0)]


@pytest.mark.tasks
@pytest.mark.parametrize("size", ["UMaze", "Medium", "Large"])
def test_point_mazes(size):
    pytest.importorskip("gymnasium_robotics")
    check(f"pointmaze/{size}-v3", range(12), 12)
    noisy = play(f"pointmaze/{size}-v3", range(4), "noisy_expert", 0.3)
    assert all(one.success for one in noisy)


@pytest.mark.tasks
@pytest.mark.parametrize(("env_id", "least"), [("LunarLander-v3", 7), ("LunarLanderContinuous-v3", 9)])
def test_landers(env_id, least):
    pytest.importorskip("Box2D")
    played = play(env_id, range(10))
    assert sum(one.success for one in played) >= least
    assert all(one.success == (one.rewards.sum() >= 200) for one in played)


@pytest.mark.tasks
def test_an_expert_stays_where_it_succeeded():
    pytest.importorskip("metaworld")
    stayed, ended = play("metaworld/reach-stay-v3", range(4)), play("metaworld/reach-v3", range(4))
    assert [len(one) for one in stayed] == [len(one) + STEPS_STAYED for one in ended]
    assert all(one.success and one.terminations[-1] for one in stayed)


@pytest.mark.tasks
def test_ten_tasks_of_metaworld_in_one_data_set():
    pytest.importorskip("metaworld")
    env_ids = "+".join(f"metaworld/{task}-v3" for task in MT10)
    played = check(env_ids, range(20), 19)
    assert [one.mission for one in played[:10]] == [task.replace("-", " ") for task in MT10]
    env = make_environments(env_ids)[0]
    spec = fit_spec(env.observation_space, env.action_space, played)
    assert {"mission", "goal/0", "hand/0", "gripper", "object/0", "action/3"} <= set(spec.names)


@pytest.mark.tasks
def test_a_task_of_metaworld_shows_its_goal_and_ends_with_its_first_success():
    pytest.importorskip("metaworld")
    played = check("metaworld/reach-v3", range(8), 8)
    goals = np.array([one.observations["goal"][0] for one in played])
    assert len(np.unique(goals, axis=0)) == len(played)
    for one in played:
        assert (one.observations["goal"] == one.observations["goal"][0]).all() and len(one) < 200
        assert np.linalg.norm(one.observations["hand"][-1] - one.observations["goal"][0]) < 0.1


@pytest.mark.tasks
@pytest.mark.parametrize("size", ["9x9", "15x15"])
def test_mazes_of_minihack(size):
    pytest.importorskip("minihack")
    hidden = check(f"minihack/MazeWalk-{size}-v0", range(12), 12)
    shown = check(f"minihack/MazeWalk-Mapped-{size}-v0", range(12), 12)
    for one, other in zip(hidden, shown):
        assert one.actions["action"].tolist() == other.actions["action"].tolist()
        seen, whole = one.observations["map"], other.observations["map"]
        assert (seen[0] != ord(" ")).sum() < (whole[0] != ord(" ")).sum() and (seen != ord("@")).sum() < seen.size
