"""A text environment that costs nothing: a row of rooms, a lamp in the last one, and a seed that says how long the row is."""

import gymnasium as gym

from anyorder.envs.splits import task_variation
from anyorder.envs.telling import text_space

ROOMS = ("cellar", "kitchen", "garden", "attic", "tower")
WORLD = "toy_worlds:ToyRow-v0"
ARCHITECTURE = {
    "model_type": "bert",
    "vocab_size": 320,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 200,
}
"""Of a language model that learns from it in a moment."""


class RowOfRooms(gym.Env):
    variations = {"train": 40, "validation": 10, "test": 10}

    def __init__(self, says_admissible=True, fails_at=None):
        self.observation_space = self.action_space = text_space()
        self.says_admissible, self.fails_at = says_admissible, fails_at

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.split, number = task_variation(seed, self.variations)
        if number == self.fails_at:
            raise OSError("the row fell down")
        self.last, self.place = 1 + number % (len(ROOMS) - 1), 0
        return self.told(), {"mission": "Take the lamp.", **self.known()}

    def step(self, action):
        won = action == "take lamp" and self.place == self.last
        if action in ("go on", "go back"):
            self.place = min(max(self.place + (1 if action == "go on" else -1), 0), self.last)
        return self.told(), float(won), won, False, {"score": float(won), "won": won, **self.known()}

    def gold_path(self):
        return ["go on"] * self.last + ["take lamp"]

    def told(self):
        here = " There is a lamp." if self.place == self.last else ""
        return f"You are in the {ROOMS[self.place]}.{here}"

    def known(self):
        return {"admissible": ["wait", "go back", "take lamp", "go on"]} if self.says_admissible else {}


gym.register("ToyRow-v0", RowOfRooms, max_episode_steps=20)
gym.register("ToyRowFalling-v0", RowOfRooms, max_episode_steps=20, kwargs={"fails_at": 3})
gym.register("ToyRowSilent-v0", RowOfRooms, max_episode_steps=20, kwargs={"says_admissible": False})
