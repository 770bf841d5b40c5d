"""The tasks of ScienceWorld (Wang et al., 2022) as text environments.

A task has variations (other substances, other places to begin), and the benchmark says which of them are for training, for
validation and for testing. A variation that is loaded again is not the same in every detail, so what was seen must be stored. A
gold path fits the game that it was made with, and may name things otherwise than the list of what is admissible does, so each
of its actions is said in the list's words when it is done. To make that list takes several times as long as a step. All
environments of a process share one Java machine of about 500 MB.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gymnasium as gym

from anyorder.envs.splits import task_variation
from anyorder.envs.tasks.java import java_machine
from anyorder.envs.tasks.science_wording import listed_as
from anyorder.envs.telling import text_space

TEXTS_AT_ONCE = 100
"""So many actions stay below 8 kB, beyond which an answer of Java waits 40 ms for an acknowledgement that TCP delays."""


class ScienceTask(gym.Env[str, str]):
    """A task of ScienceWorld; an episode ends when the task is done, or failed (a score below 0).

    Args:
        task: its name, such as ``find-plant``.
        simplifications: joined by commas, such as ``easy``; empty: none.

    Attributes:
        variations: split -> number of the task's variations.
    """

    def __init__(self, task: str, simplifications: str = "") -> None:
        self.observation_space, self.action_space = text_space(), text_space()
        self._jvm = java_machine("ScienceWorld", "scienceworld", "ScienceWorldEnv")._gateway.jvm
        self._world = self._jvm.scienceworld.runtime.pythonapi.PythonInterface()
        self._task, self._simplifications = task, simplifications
        self._world.load(task, 0, simplifications, False)
        folds = {"train": "Train", "validation": "Dev", "test": "Test"}
        self._numbers = {split: list(getattr(self._world, f"getVariations{fold}")()) for split, fold in folds.items()}
        self.variations = {split: len(numbers) for split, numbers in self._numbers.items()}
        self._score, self._admissible = 0.0, list[str]()

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Load the variation that a seed means; without a seed, one drawn at random."""
        super().reset(seed=seed)
        seed = int(self.np_random.integers(self.variations["train"])) if seed is None else seed
        split, place = task_variation(seed, self.variations)
        self._world.load(self._task, self._numbers[split][place], self._simplifications, True)
        self._world.reset()
        self._score = 0.0
        return self._world.step("look around"), {"mission": self._world.getTaskDescription(), **self._info()}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Do an action; one that is not admissible changes nothing."""
        observation = self._world.step(action)
        before, self._score = self._score, float(self._world.getScore())
        over = bool(self._world.getCompleted()) or self._score < 0
        info = {**self._info(), "won": self._score >= 1}
        return observation, self._score - before, over, False, info

    def gold_path(self) -> list[str]:
        """Actions that do the task of the last reset."""
        return list(self._world.getGoldActionSequence())

    def listed_as(self, action: str) -> str | None:
        """The admissible action that does the same now; None where it would do nothing (`science_wording.listed_as`)."""
        return action if action in self._admissible else listed_as(self._world, action)

    def _info(self) -> dict[str, Any]:
        self._admissible = list(self._texts(self._world.getValidActionObjectCombinations()))
        return {"admissible": self._admissible, "score": self._score}

    def _texts(self, of_java: Any) -> Iterator[str]:
        """The texts of a list in Java, `TEXTS_AT_ONCE` in one text: one by one, each would cost a message and its answer."""
        join, number = self._jvm.java.lang.String.join, of_java.size()
        for first in range(0, number, TEXTS_AT_ONCE):
            yield from join("\n", of_java.subList(first, min(first + TEXTS_AT_ONCE, number))).split("\n")


def make_science(task: str, simplifications: str = "") -> gym.Env:
    """A task of ScienceWorld; arguments as of `ScienceTask`.

    Raises:
        AnyOrderError: where Java is missing.
        ImportError: where the package is missing.
    """
    return ScienceTask(task, simplifications)
