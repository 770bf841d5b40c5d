"""Games that TextWorld (Côté et al., 2018) generates: the seed alone makes the game, so there are as many as there are seeds.

A game is generated and compiled at its reset, which takes seconds, and removed again.
"""

from __future__ import annotations

import tempfile
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import gymnasium as gym

from anyorder.envs.telling import text_space

CHALLENGES: dict[str, tuple[str, dict[str, Any]]] = {
    "coin-collector": ("textworld.challenges.tw_coin_collector.coin_collector", {}),
    "treasure-hunter": ("textworld.challenges.tw_treasure_hunter.treasure_hunter", {}),
}
"""Name -> the module of TextWorld that makes its games, and settings besides the level."""


class GeneratedGame(gym.Env[str, str]):
    """A challenge of TextWorld; an episode ends when the game is won or lost.

    Args:
        challenge: a key of `CHALLENGES`.
        level: how hard, as TextWorld numbers it.
    """

    def __init__(self, challenge: str, level: int) -> None:
        import textworld

        self.observation_space, self.action_space = text_space(), text_space()
        module, settings = CHALLENGES[challenge]
        self._make, self._settings = import_module(module).make, {**settings, "level": level}
        asked = ("admissible_commands", "description", "objective", "won", "lost", "score", "max_score", "policy_commands")
        self._asked = textworld.EnvInfos(**dict.fromkeys(asked, True))
        self._folder = tempfile.TemporaryDirectory(prefix="anyorder-textworld-")
        self._game: Any = None
        self._state: Any = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Generate and start the game of a seed; without a seed, of one drawn at random."""
        import textworld
        from textworld.generator import compile_game

        super().reset(seed=seed)
        settings = textworld.GameOptions()
        settings.seeds = int(self.np_random.integers(2**31)) if seed is None else seed
        settings.path, settings.force_recompile = str(Path(self._folder.name) / "game.z8"), True
        path = compile_game(self._make(self._settings, settings), settings)
        if self._game is not None:
            self._game.close()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the game is none of the published ones
            self._game = textworld.start(path, request_infos=self._asked)
            self._state = self._game.reset()
        return self._state.description, {"mission": self._state.objective, **self._info()}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Do an action; one that the game does not understand changes nothing."""
        before = self._info()["score"]
        self._state, _, over = self._game.step(action)
        info = {**self._info(), "won": bool(self._state.won)}
        return self._state.feedback, info["score"] - before, bool(over), False, info

    def gold_path(self) -> list[str]:
        """Actions that win the game from where it is."""
        return list(self._state.policy_commands)

    def close(self) -> None:
        """End the game and remove its files."""
        if self._game is not None:
            self._game.close()
        self._folder.cleanup()

    def _info(self) -> dict[str, Any]:
        score = self._state.score / self._state.max_score
        return {"admissible": self._state.admissible_commands, "score": score}


def make_generated(challenge: str, level: int) -> gym.Env:
    """A challenge of TextWorld; arguments as of `GeneratedGame`.

    Raises:
        ImportError: where the package is missing.
    """
    return GeneratedGame(challenge, level)
