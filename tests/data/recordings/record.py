"""Records the data sets beside this file with Minari's own collector: ``pip install jax minari[hdf5]``, ``python record.py``.

The collector needs jax, which is too large for tests; what it wrote is small.
"""

import json
import os
import shutil
import string
import tempfile
import warnings
from pathlib import Path

import gymnasium
import minigrid  # noqa: F401  (registers its environments)
import numpy as np
from gymnasium import spaces
from minigrid.core.mission import MissionSpace
from minigrid.utils.baby_ai_bot import BabyAIBot

HERE = Path(__file__).parent
os.environ["MINARI_DATASETS_PATH"] = tempfile.mkdtemp()
warnings.filterwarnings("ignore")

import minari  # noqa: E402
from minari.serialization import deserialize_space, serialize_space  # noqa: E402


@serialize_space.register(MissionSpace)
def written(space, to_string=True):
    """As Minari's documentation does it."""
    content = {"type": "MissionSpace", "mission_func": space.mission_func()}
    return json.dumps(content) if to_string else content


@deserialize_space.register("MissionSpace")
def read(content):
    return MissionSpace(mission_func=lambda: content["mission_func"])


class Arm(gymnasium.Env):
    """Nested observations and actions, texts, cameras and infos."""

    observation_space = spaces.Dict(
        arm=spaces.Tuple([spaces.Box(-np.inf, np.inf, (3,)), spaces.Discrete(4, start=2)]),
        camera=spaces.Box(0, 255, (40, 40, 3), np.uint8),
        mission=spaces.Text(20, charset=string.ascii_lowercase + " "),
    )
    action_space = spaces.Dict(torque=spaces.Box(-1, 1, (2,)), grip=spaces.Discrete(2))

    def observe(self):
        arm = (self.np_random.normal(size=3).astype(np.float32), np.int64(2 + self.now % 4))
        camera = self.np_random.integers(0, 2, (40, 40, 3)).astype(np.uint8)
        info = {"success": self.now > 2 and self.goal == "lift", "energy": np.full(2, self.now, np.float32)}
        return {"arm": arm, "camera": camera, "mission": self.goal}, info

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.now, self.goal = 0, ["lift", "put it down"][seed % 2]
        return self.observe()

    def step(self, action):
        self.now += 1
        observation, info = self.observe()
        return observation, float(self.now), self.now > 3 and self.goal == "lift", self.now > 4, info


def by_bot(env, _):
    bot, last = BabyAIBot(env.unwrapped), None

    def act():
        nonlocal last
        last = bot.replan(last)
        return int(last)

    return act


def at_random(env, seed):
    env.action_space.seed(seed)
    return env.action_space.sample


def record(name, env, actor, num_episodes, seeded=True, **options):
    env = minari.DataCollector(env, **options)
    for seed in range(num_episodes):
        env.reset(**({"seed": seed} if seeded else {}))
        act, over = actor(env, seed), False
        while not over:
            _, _, terminated, truncated, _ = env.step(act())
            over = terminated or truncated
    made = env.create_dataset(f"recorded/{name}-v0", ref_min_score=0.0, ref_max_score=1.0)
    shutil.make_archive(str(HERE / name), "zip", made.storage.data_path.parent)


if __name__ == "__main__":
    level = "BabyAI-GoToRedBall-v0"
    texts = {**gymnasium.make(level).observation_space.spaces, "mission": spaces.Text(99, charset=string.ascii_lowercase + " ")}
    record("babyai_text", gymnasium.make(level), by_bot, 20, data_format="hdf5", observation_space=spaces.Dict(texts))
    record("babyai_missions", gymnasium.make(level), by_bot, 6, seeded=False, data_format="arrow")
    record("arm_hdf5", Arm(), at_random, 4, data_format="hdf5", record_infos=True)
    record("arm_arrow", Arm(), at_random, 4, data_format="arrow", record_infos=True, jpeg_encoding=False)
