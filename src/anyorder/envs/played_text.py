"""The record of an episode that was played in words, and its form as a conversation that a model learns from.

Legend: T actions, T+1 observations.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise, zip_longest
from typing import Any

from anyorder.restoring import restored
from anyorder.types import TextTrajectory, Turn

PLAYED = "played"
"""Key of `TextTrajectory.others` under which a played episode says what its turns do not."""
MISSION_ROLE, WORLD_ROLE, AGENT_ROLE = "system", "user", "assistant"


@dataclass(frozen=True)
class PlayedText:
    """One episode in a text environment, checked when it is made.

    Attributes:
        env_id: registered gymnasium id, or ``module:id``.
        seed: the seed given to ``env.reset``; it means the task.
        mission: the instruction; empty where there is none.
        observations: T+1 texts; the first one follows ``reset``, the last one follows the last action.
        actions: T texts, T >= 1.
        rewards: T numbers.
        scores: T+1 numbers, what the environment says of the progress so far; the sum of rewards where it says nothing.
        admissible: T+1 sets of actions, sorted: what can be done after each observation; empty where that is not known.
        success: what the environment says of the episode; None where it says nothing.
        terminated: True if the environment ended the episode.
        truncated: True if a limit of steps ended it.

    Raises:
        ValueError: its message names what was expected and what was found.
    """

    env_id: str
    seed: int
    mission: str
    observations: tuple[str, ...]
    actions: tuple[str, ...]
    rewards: tuple[float, ...]
    scores: tuple[float, ...]
    admissible: tuple[tuple[str, ...], ...]
    success: bool | None
    terminated: bool
    truncated: bool

    def __post_init__(self) -> None:
        number = len(self.actions)
        if number < 1:
            raise ValueError("a trajectory must have at least one action; found none")
        for name, length in (
            ("observations", number + 1),
            ("rewards", number),
            ("scores", number + 1),
            ("admissible", number + 1),
        ):
            if len(getattr(self, name)) != length:
                raise ValueError(f"{number} actions must come with {length} {name}; found {len(getattr(self, name))}")

    def __len__(self) -> int:
        """Number of actions T."""
        return len(self.actions)

    @property
    def score(self) -> float:
        """The last score."""
        return self.scores[-1]

    def turns(self, until: int | None = None) -> tuple[Turn, ...]:
        """The mission, then observations and actions in turn; with ``until``, up to the observation of that step."""
        observations, actions = self.observations, self.actions
        if until is not None:
            observations, actions = observations[: until + 1], actions[:until]
        return turns_of_episode(self.mission, observations, actions)

    def conversation(self) -> TextTrajectory:
        """The episode as a conversation; what its turns do not say is in ``others``, so that `played_text` gives it back."""
        kept = ("env_id", "seed", "rewards", "scores", "success", "terminated", "truncated")
        said = {name: getattr(self, name) for name in kept} | {"admissible": _packed(self.admissible)}
        return TextTrajectory(f"{self.env_id}:{self.seed}", self.turns(), json.dumps({PLAYED: said}, ensure_ascii=False))


def turns_of_episode(mission: str, observations: Sequence[str], actions: Sequence[str]) -> tuple[Turn, ...]:
    """The mission, where there is one, then observations and actions in turn."""
    told = [Turn("mission", MISSION_ROLE, mission, False)] if mission else []
    seen = (Turn("observation", WORLD_ROLE, text, True) for text in observations)
    done = (Turn("action", AGENT_ROLE, text, True) for text in actions)
    return (*told, *(turn for turn in chain.from_iterable(zip_longest(seen, done)) if turn is not None))


def is_played(trajectory: TextTrajectory) -> bool:
    """True for a conversation that was made of an episode."""
    return PLAYED in json.loads(trajectory.others)


def played_text(trajectory: TextTrajectory) -> PlayedText | None:
    """The episode that a conversation was made of; None where it was not played, but imported.

    Raises:
        ValueError, TypeError, KeyError: for one that nobody played so.
    """
    if not is_played(trajectory):
        return None
    said = restored(dict[str, Any], json.loads(trajectory.others)[PLAYED], PLAYED)
    texts = {part: tuple(turn.text for turn in trajectory.turns if turn.part == part) for part in ("observation", "action")}
    return PlayedText(
        env_id=restored(str, said["env_id"], "env_id"),
        seed=restored(int, said["seed"], "seed"),
        mission=trajectory.mission,
        observations=texts["observation"],
        actions=texts["action"],
        rewards=tuple(restored(list[float], said["rewards"], "rewards")),
        scores=tuple(restored(list[float], said["scores"], "scores")),
        admissible=tuple(_unpacked(said["admissible"])),
        success=restored(bool | None, said["success"], "success"),
        terminated=restored(bool, said["terminated"], "terminated"),
        truncated=restored(bool, said["truncated"], "truncated"),
    )


def _packed(admissible: Sequence[Sequence[str]]) -> dict[str, Any]:
    """All actions once, and for each observation the numbers of those that were added or taken away since the one before."""
    actions = sorted(set(chain.from_iterable(admissible)))
    number = {action: place for place, action in enumerate(actions)}
    sets = [set[int](), *({number[action] for action in one} for one in admissible)]
    return {"actions": actions, "changes": [sorted(before ^ after) for before, after in pairwise(sets)]}


def _unpacked(packed: Any) -> Iterator[tuple[str, ...]]:
    actions = restored(list[str], packed["actions"], "actions")
    present: set[int] = set()
    for change in restored(list[list[int]], packed["changes"], "changes"):
        if not all(0 <= number < len(actions) for number in change):
            raise ValueError(f"a change must name one of {len(actions)} actions; found {change}")
        present ^= set(change)
        yield tuple(actions[number] for number in sorted(present))
