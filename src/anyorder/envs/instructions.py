"""BabyAI's instructions: from words back to what BabyAI verifies, and which of them an episode fulfils."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar, cast

import gymnasium as gym
import numpy as np

from anyorder.envs import minigrid
from anyorder.envs.minigrid import grid_world

from minigrid.envs.babyai.core import verifier  # isort: skip  (after envs.minigrid, which silences what this import prints)
from minigrid.envs.babyai.core.roomgrid_level import RoomGridLevel  # isort: skip

MadeT = TypeVar("MadeT")
_SEQUENCES: dict[str, Callable[..., verifier.Instr]] = {
    r"(.+), then (.+)": verifier.BeforeInstr,
    r"(.+) after you (.+)": verifier.AfterInstr,
    r"(.+) and (.+)": verifier.AndInstr,
}
_PLACES = {"in front of you": "front", "behind you": "behind", "on your left": "left", "on your right": "right"}
_DESCRIPTION = rf"(?:a|the)(?: ({'|'.join(minigrid.COLORS)}))? (\w+)(?: ({'|'.join(_PLACES)}))?"
_ACTIONS: dict[str, Callable[..., verifier.Instr]] = {
    f"go to {_DESCRIPTION}": verifier.GoToInstr,
    f"pick up {_DESCRIPTION}": verifier.PickupInstr,
    f"open {_DESCRIPTION}": verifier.OpenInstr,
    f"put {_DESCRIPTION} next to {_DESCRIPTION}": verifier.PutNextInstr,
}
"""What words look like (Chevalier-Boisvert et al., 2019, section 3.2) -> the class that verifies it."""


def instruction(words: str) -> verifier.Instr | None:
    """What BabyAI verifies for these words; None for words that are not of its language."""
    for pattern, sequence in _SEQUENCES.items():
        if found := re.fullmatch(pattern, words):
            parts = [instruction(part) for part in found.groups()]
            return None if None in parts else _made(partial(sequence, *parts))
    for pattern, action in _ACTIONS.items():
        if found := re.fullmatch(pattern, words):
            groups = found.groups()
            described = [_described(*groups[first : first + 3]) for first in range(0, len(groups), 3)]
            return None if None in described else _made(partial(action, *described))
    return None


def _described(color: str | None, kind: str, place: str | None) -> verifier.ObjDesc | None:
    return _made(
        partial(verifier.ObjDesc, None if kind == "object" else kind, color, None if place is None else _PLACES[place])
    )


def _made(make: Callable[[], MadeT]) -> MadeT | None:
    """What ``make`` makes; None for what BabyAI asserts that nobody says, such as picking up a door."""
    try:
        return make()
    except AssertionError:
        return None


def fulfilled(env: gym.Env, seed: int, actions: np.ndarray, missions: Sequence[str]) -> list[str] | None:
    """The missions that an episode fulfils with its last action and not before, and whose objects are there. Whether "a" or
    "the" is said of them makes no difference, since it makes none to what is done.

    Args:
        env: a level of BabyAI, of `anyorder.envs.minigrid.make_env`; it is played again.
        seed: of the episode.
        actions: int ``[T]``, of the episode.
        missions: in words.

    Returns:
        None for other environments than levels of BabyAI.
    """
    if not isinstance(env.unwrapped, RoomGridLevel):
        return None
    minigrid.reset(env, seed)
    possible = [(words, found) for words in dict.fromkeys(missions) if (found := _at_start(env, words)) is not None]
    for number, action in enumerate(actions.tolist(), start=1):
        env.step(action)
        done = {words: _verified(env, found, action) for words, found in possible}
        wanted = "success" if number == len(actions) else "continue"
        possible = [(words, found) for words, found in possible if done[words] == wanted]
    return [words for words, _ in possible]


def _at_start(env: gym.Env, words: str) -> verifier.Instr | None:
    """The instruction, ready to be verified; None where something that it speaks of is not there."""
    found = instruction(words)
    if found is None or _made(partial(found.surface, env)) is None:
        return None
    found.reset_verifier(grid_world(env))
    return found


def _verified(env: gym.Env, found: verifier.Instr, action: int) -> str:
    level = cast(RoomGridLevel, grid_world(env))
    if action == level.actions.drop:  # as its own `step` does: what was carried lies elsewhere now
        level.update_objs_poss(found)
    return cast(str, found.verify(action))
