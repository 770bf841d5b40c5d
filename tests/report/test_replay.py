"""An episode comes back from its seed and its actions, and the world is the one that MiniGrid renders."""

import numpy as np
import pytest

from anyorder.envs import minigrid
from anyorder.report.replay import replay

from minigrid.core.grid import Grid  # isort: skip


def test_demonstrations_come_back(trajectories):
    for recorded in trajectories[:3]:
        record, worlds = replay(recorded.env_id, recorded.seed, recorded.actions.tolist())
        assert len(worlds) == len(recorded) + 1
        for name in ("observations", "directions", "actions", "rewards"):
            assert np.array_equal(getattr(record, name), getattr(recorded, name)), name
        assert record.success == recorded.success and record.mission == recorded.mission


@pytest.mark.parametrize("env_id", ["BabyAI-GoToRedBall-v0", "BabyAI-GoToDoor-v0", "MiniGrid-DoorKey-6x6-v0"])
def test_the_world_is_what_minigrid_renders(env_id):
    actions = np.random.default_rng(0).integers(3, size=12).tolist()
    env = minigrid.make_env(env_id)
    minigrid.reset(env, 5)
    _, worlds = replay(env_id, 5, actions)
    for step, world in enumerate(worlds):
        if step:
            env.step(actions[step - 1])
        drawn = Grid.decode(world.cells)[0].render(16, world.position, world.direction, highlight_mask=world.lit)
        assert np.array_equal(drawn, env.unwrapped.get_frame(highlight=True, tile_size=16)), step


def test_a_frame_has_everything_column_by_column():
    _, (first, _) = replay("MiniGrid-Empty-5x5-v0", 0, [0])
    frame = first.frame()
    assert frame["agent"] == {"x": 1, "y": 1, "direction": 0} and len(frame["cells"]) == len(frame["lit"]) == 25
    assert frame["cells"][0] == 2 * 24 + 5 * 4 and frame["cells"][3 * 5 + 3] == 8 * 24 + 1 * 4  # a grey wall, the goal


def test_what_follows_the_end_is_left_out():
    ahead, around = [2, 2], [1]
    record, worlds = replay("MiniGrid-Empty-5x5-v0", 0, [*ahead, *around, *ahead, 0, 0, 0])
    assert record.success and len(record) == 5 and len(worlds) == 6
