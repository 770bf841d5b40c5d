"""BabyAI's levels in words: the mission, what is seen as sentences, and MiniGrid's actions by name.

The observation says where the agent faces, what it carries, and where, seen from it, objects and walls are; near ones first.
All actions are always admissible, as they are in MiniGrid. The seed is the level's own, and so is the limit of steps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np

from anyorder.envs import minigrid
from anyorder.envs.minigrid import COLORS, DIRECTIONS, DOOR_STATES, OBJECTS, View
from anyorder.envs.telling import TextView, text_space

WORDS_OF_ACTIONS = ("turn left", "turn right", "go forward", "pick up", "drop", "toggle", "done")
"""MiniGrid's actions, by their numbers."""
UNSEEN, EMPTY, WALL, FLOOR, DOOR, BOX = (OBJECTS.index(name) for name in ("unseen", "empty", "wall", "floor", "door", "box"))
WITHOUT_NAME = (UNSEEN, EMPTY, WALL, FLOOR)


class LevelInWords(gym.Env[str, str]):
    """A level as this module describes it.

    Args:
        level: the id of a BabyAI level.

    Attributes:
        level: the level itself.
    """

    def __init__(self, level: str) -> None:
        self.observation_space, self.action_space = text_space(), text_space()
        self.level = minigrid.make_env(level)
        self._admissible = WORDS_OF_ACTIONS[: minigrid.num_actions_of(self.level)]

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Start the level of a seed; without a seed, one drawn at random."""
        super().reset(seed=seed)
        view = minigrid.reset(self.level, int(self.np_random.integers(2**31)) if seed is None else seed)
        return in_sentences(view), {"mission": view.mission, "admissible": self._admissible, "score": 0.0}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Do an action. Words that are none of the actions do nothing, and cost no step."""
        if action not in self._admissible:
            return "You cannot do that.", 0.0, False, False, {"admissible": self._admissible, "score": 0.0}
        observation, reward, terminated, truncated, _ = self.level.step(WORDS_OF_ACTIONS.index(action))
        won = bool(terminated and float(reward) > 0)
        info = {"admissible": self._admissible, "score": float(won), "won": won}
        return in_sentences(minigrid.read_view(observation)), float(reward), bool(terminated), bool(truncated), info


def make_level(level: str) -> gym.Env:
    """A level of BabyAI by its own id, such as ``BabyAI-GoToRedBall-v0``."""
    return LevelInWords(level)


def bot_in_words(env: gym.Env, seed: int) -> Callable[[TextView], str]:
    """BabyAI's bot (`anyorder.envs.experts.bot`). It goes on from what was really done."""
    from anyorder.envs.fast import planner_of  # it loads the bot's code

    planner = planner_of(env.unwrapped.level)  # type: ignore[attr-defined]

    def act(view: TextView) -> str:
        taken = None if view.done is None else WORDS_OF_ACTIONS.index(view.done)
        return WORDS_OF_ACTIONS[int(planner.replan(taken))]

    return act


def in_sentences(view: View) -> str:
    """What a view shows: objects with their colors and states, and the walls straight ahead, left and right of the agent."""
    columns, rows = view.image.shape[:2]
    here = columns // 2, rows - 1
    carried = view.image[here]
    hands = _name(carried) if carried[0] not in WITHOUT_NAME else "nothing"
    seen = []
    for x, y in np.argwhere(~np.isin(view.image[..., 0], WITHOUT_NAME)).tolist():
        if (x, y) != here:
            ahead, right = here[1] - y, x - here[0]
            seen.append((ahead + abs(right), ahead, right, _name(view.image[x, y])))
    things = [f"You see {name} {_place(ahead, right)}." for _, ahead, right, name in sorted(seen)]
    walls = [f"There is a wall {_place(*way)}." for way in _walls(view.image, here)]
    return " ".join([f"You face {DIRECTIONS[view.direction]} and carry {hands}.", *things, *walls])


def _walls(image: np.ndarray, here: tuple[int, int]) -> list[tuple[int, int]]:
    """How far ahead and to the right the first wall is, straight ahead, left and right; none where something hides it."""
    found = []
    for right, ahead in ((0, 1), (-1, 0), (1, 0)):
        x, y, steps = here[0] + right, here[1] - ahead, 1
        while 0 <= x < image.shape[0] and y >= 0 and image[x, y, 0] not in (WALL, UNSEEN):
            x, y, steps = x + right, y - ahead, steps + 1
        if 0 <= x < image.shape[0] and y >= 0 and image[x, y, 0] == WALL:
            found.append((ahead * steps, right * steps))
    return found


def _name(cell: np.ndarray) -> str:
    """``a red ball``, ``an open blue door``."""
    kind, color, state = (int(number) for number in cell)
    words = [*([DOOR_STATES[state]] if kind == DOOR else []), COLORS[color], OBJECTS[kind]]
    article = "an" if words[0][0] in "aeiou" else "a"
    return " ".join([article, *words])


def _place(ahead: int, right: int) -> str:
    """``2 steps ahead and 1 step to the left``."""
    parts = [f"{_steps(ahead)} ahead"] if ahead else []
    parts += [f"{_steps(abs(right))} to the {'right' if right > 0 else 'left'}"] if right else []
    return " and ".join(parts)


def _steps(number: int) -> str:
    return f"{number} step{'s' if number > 1 else ''}"
