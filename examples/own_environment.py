"""An environment of your own, from its first line to a trained agent. Nothing in the package knows it.

It is a game of cards: five cards lie open, one of them is the highest, and the agent has to name its place. From this folder:

    anyorder collect --env own_environment:HighestCard-v0 --policy own_environment:see_and_name --num_episodes 300 \
        --num_validation 50 --num_test 50 --output_dir data/cards
    anyorder train --data.path data/cards --element_model.max_frames 6 --training.num_updates 300 \
        --training.frames_per_batch 512 --output_dir outputs/cards
    anyorder evaluate --checkpoint outputs/cards/checkpoints/best.pt --env own_environment:HighestCard-v0 --num_episodes 100
"""

import gymnasium as gym
import numpy as np
from gymnasium import spaces

CARDS, ROUNDS = 5, 5


class HighestCard(gym.Env):
    """Five rounds. In each, five cards of different ranks lie open; to name the place of the highest earns a point."""

    observation_space = spaces.Dict({"cards": spaces.MultiDiscrete([13] * CARDS), "round": spaces.Discrete(ROUNDS + 1)})
    action_space = spaces.Discrete(CARDS)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.round, self.points = 0, 0
        return self._deal(), {}

    def step(self, action):
        right = int(action) == int(self.cards.argmax())
        self.round += 1
        self.points += right
        over = self.round == ROUNDS
        return self._deal(), float(right), over, False, {"success": over and self.points == ROUNDS}

    def _deal(self):
        self.cards = self.np_random.choice(13, CARDS, replace=False)
        return {"cards": self.cards.astype(np.int64), "round": np.int64(self.round)}


def see_and_name(env, seed):
    """A policy: called once per episode, it returns what acts in that episode."""
    return lambda observation: int(observation["cards"].argmax())


gym.register("HighestCard-v0", HighestCard)
