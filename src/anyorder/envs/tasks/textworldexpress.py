"""The games of TextWorldExpress (Jansen and Côté, 2022) as text environments.

Each game has 1,000 tasks for training, for validation and for testing; those of cookingworld, twc and the like also have foods
and objects that other splits do not have. All environments of a process share one Java machine. What a game shows is a function
of the seed and the actions; the gold paths of coin and twc explore at random, so they differ from reset to reset.
"""

from __future__ import annotations

import json
from typing import Any

import gymnasium as gym

from anyorder.envs.splits import task_variation
from anyorder.envs.tasks.java import java_machine
from anyorder.envs.telling import text_space

FOLDS = {"train": "train", "validation": "dev", "test": "test"}
"""Split -> what TextWorldExpress calls it."""
FIRST_TASKS = {"train": 0, "validation": 10_000, "test": 20_000}
"""The games' own number of the first task of a split."""
TASKS_PER_SPLIT = 1_000


class ExpressGame(gym.Env[str, str]):
    """A game of TextWorldExpress; an episode ends when it is won or lost.

    Args:
        game: its name, such as ``coin``.
        parameters: of the game, such as ``numLocations=5, includeDoors=0``; empty: the game's own.
    """

    variations = dict.fromkeys(FOLDS, TASKS_PER_SPLIT)

    def __init__(self, game: str, parameters: str = "") -> None:
        self.observation_space, self.action_space = text_space(), text_space()
        java = java_machine("TextWorldExpress", "textworld_express", "TextWorldExpressEnv")
        self._game = java._gateway.jvm.textworldexpress.runtime.PythonInterface()
        if problem := self._game.load(game, parameters):
            raise ValueError(problem)
        self._score = 0.0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Start the task that a seed means; without a seed, one drawn at random."""
        super().reset(seed=seed)
        split, number = task_variation(int(self.np_random.integers(TASKS_PER_SPLIT)) if seed is None else seed, self.variations)
        said = json.loads(self._game.generateNewGameJSON(FIRST_TASKS[split] + number, FOLDS[split], True))
        self._score = 0.0
        return said["observation"], {"mission": self._game.getTaskDescription(), **_info(said)}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Do an action; one that is not admissible changes nothing."""
        said = json.loads(self._game.stepJSON(action))
        gained, self._score = said["score"] - self._score, said["score"]
        won, lost = said["tasksuccess"] or said["score"] >= 1, said["taskfailure"]
        return said["observation"], gained, bool(won or lost), False, {**_info(said), "won": bool(won)}

    def gold_path(self) -> list[str]:
        """Actions that win the game of the last reset."""
        return list(self._game.getGoldActionSequence())


def make_game(game: str, parameters: str = "") -> gym.Env:
    """A game of TextWorldExpress; arguments as of `ExpressGame`.

    Raises:
        AnyOrderError: where Java is missing.
        ImportError: where the package is missing.
    """
    return ExpressGame(game, parameters)


def _info(said: dict[str, Any]) -> dict[str, Any]:
    return {"admissible": said["validActions"], "score": said["score"]}
