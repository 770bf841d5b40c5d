"""A card game that no line of the package knows: nested observations, several actions at once, an instruction, success in its
info. A user's module would look like this."""

import gymnasium as gym
import numpy as np
from gymnasium import spaces

LETTERS = "abcdefghijklmnopqrstuvwxyz "


class Cards(gym.Env):
    """Five rounds: keep the highest, or the lowest, of three cards, and bet on it."""

    def __init__(self):
        hand = spaces.Dict(cards=spaces.MultiDiscrete([13, 13, 13]), suits=spaces.MultiBinary(3))
        self.observation_space = spaces.Dict(
            hand=hand,
            table=spaces.Discrete(14, start=-1),
            money=spaces.Box(-np.inf, np.inf, (1,)),
            mission=spaces.Text(20, charset=LETTERS),
        )
        self.action_space = spaces.Dict(keep=spaces.Discrete(3), bet=spaces.Box(0, 1, (1,)))

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.round, self.won, self.money, self.table = 0, 0, np.zeros(1, np.float32), -1
        self.mission = str(self.np_random.choice(["keep the highest", "keep the lowest"]))
        return self.deal(), {}

    def deal(self):
        self.cards, suits = self.np_random.integers(13, size=3), self.np_random.integers(2, size=3)
        hand = {"cards": self.cards, "suits": suits.astype(np.int8)}
        return {"hand": hand, "table": self.table, "money": self.money, "mission": self.mission}

    def step(self, action):
        assert self.action_space.contains(action), action
        self.table = int(self.cards[action["keep"]])
        right = self.table == (self.cards.max() if self.mission.endswith("highest") else self.cards.min())
        self.money += action["bet"] if right else -action["bet"]  # in place: the record must have a copy
        self.round, self.won = self.round + 1, self.won + right
        return self.deal(), float(right), self.round == 5, False, {"success": self.won == 5}


def play_well(env, seed):
    """The best policy."""

    def act(observation):
        best = np.argmax if observation["mission"].endswith("highest") else np.argmin
        return {"keep": int(best(observation["hand"]["cards"])), "bet": np.array([2.0])}  # more than one can

    return act


def play_nonsense(env, seed):
    """Not an action of the game."""
    return lambda observation: 7


def push_left(env, seed):
    """The first action, always."""
    return lambda observation: 0


class Broken(Cards):
    """Odd seeds show a card that does not exist; seeds that 4 divides end in an error."""

    def reset(self, *, seed=None, options=None):
        self.seed = seed
        return super().reset(seed=seed, options=options)

    def step(self, action):
        observation, *rest = super().step(action)
        if self.seed % 4 == 0:
            raise RuntimeError("the table fell")
        if self.seed % 2:
            observation["table"] = 99
        return observation, *rest


class Endless(Cards):
    """Never ends."""

    def step(self, action):
        observation, reward, _, _, info = super().step(action)
        return observation, reward, False, False, info


class Silent(Cards):
    """Says nothing about success."""

    def step(self, action):
        *rest, _ = super().step(action)
        return *rest, {}


class Graphs(Cards):
    """Observations that are no fields."""

    def __init__(self):
        super().__init__()
        self.observation_space = spaces.Dict(graph=spaces.Graph(spaces.Discrete(3), None))


for game in (Cards, Broken, Endless, Silent, Graphs):
    if f"{game.__name__}-v0" not in gym.registry:
        gym.register(f"{game.__name__}-v0", entry_point=game)
