"""Plays episodes of any environment for the page: to their end, or one action after the other."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from gymnasium import spaces

from anyorder.acting.field_policy import FieldHistory, FieldPolicy
from anyorder.acting.field_rollout import roll_out_fields
from anyorder.data.episodes import ExpertSource
from anyorder.data.manifest import Failure
from anyorder.elements.grid_fields import fields_of_grid
from anyorder.envs.known import known_environment
from anyorder.envs.making import make_environments
from anyorder.envs.minigrid import SEPARATOR, level_of
from anyorder.envs.played_text import PlayedText
from anyorder.envs.recording import FieldEpisode
from anyorder.envs.spaces import ACTION, OBSERVATION, leaves
from anyorder.envs.worded import worded
from anyorder.errors import AnyOrderError
from anyorder.models.element.element_transformer import ElementTransformer
from anyorder.parsing import brief
from anyorder.playground.field_scene import EpisodeEnd, FieldScene
from anyorder.playground.scene import named_outcome
from anyorder.types import FieldTrajectory, Trajectory

EXPERT = "expert"


class FieldStage:
    """Environments that a model's episodes are played in.

    Args:
        model: of the general kind, in evaluation mode.
        env_id: registered; several, joined by ``+``, take turns (`anyorder.envs.minigrid.level_of`).
        observation_space, action_space: that the model was trained for.

    Raises:
        AnyOrderError: for an environment that cannot be made, or has other spaces.
    """

    def __init__(
        self,
        model: ElementTransformer,
        env_id: str,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
    ) -> None:
        self.model, self.env_id = model, env_id
        self.policy = FieldPolicy(model, action_space)
        self._envs = tuple(map(worded, make_environments(env_id)))
        for name, env in zip(env_id.split(SEPARATOR), self._envs):
            _check_leaves(name, env.observation_space, observation_space, OBSERVATION)
            _check_leaves(name, env.action_space, action_space, ACTION)
        self._leaves = leaves(action_space, ACTION)
        self._lock = threading.Lock()
        self._episode: FieldEpisode | None = None
        self._past: list[Mapping[str, Sequence[float]]] = []

    @property
    def has_expert(self) -> bool:
        """True where an expert for all environments is known."""
        found = [known_environment(name) for name in self.env_id.split(SEPARATOR)]
        return all(known is not None and bool(known.expert) for known in found)

    def played(self, seed: int, player: str) -> FieldTrajectory:
        """An episode that the ``agent`` or the expert (``bot``) plays to its end."""
        if player == "agent":
            (episode,) = roll_out_fields(self.policy, self.env_id, [seed])
        else:
            (found,) = ExpertSource(self.env_id, EXPERT, num_processes=1)([seed])
            assert not isinstance(found, PlayedText)  # a model of fields has learned this environment
            episode = fields_of_grid(found) if isinstance(found, Trajectory) else found
        if isinstance(episode, Failure):
            raise AnyOrderError(f"the {player} failed on seed {seed} ({episode.reason}); choose another seed")
        return episode

    def live(self, seed: int, actions: Sequence[Mapping[str, Sequence[float]]]) -> FieldScene:
        """The episode that these actions, path -> entries, lead to from this seed. The environment stays where the last call
        left it; for another past, it is reset and plays that past again.

        Raises:
            AnyOrderError: for an action after the end, one that the environment does not have, or one at which it fails.
        """
        with self._lock:
            episode, self._episode = self._episode, None  # should this fail halfway, the next request starts anew
            if episode is None or seed != episode.seed or self._past != list(actions[: len(self._past)]):
                level = level_of(self.env_id, seed)
                episode, self._past = FieldEpisode(self._envs[seed % len(self._envs)], level, seed), []
            for action in actions[len(self._past) :]:
                if episode.over:
                    raise AnyOrderError(f"this episode ended after {len(episode.actions)} actions; reset it to go on")
                episode.step(self.policy.as_given(self._given(action)))
            self._episode, self._past = episode, list(actions)
            return self._scene(episode)

    def close(self) -> None:
        """Close the environments."""
        with self._lock:
            self._episode = None
            for env in self._envs:
                env.close()

    def _scene(self, episode: FieldEpisode) -> FieldScene:
        history = _history(self.policy, episode)
        encoded = history.encoded()
        return FieldScene(
            self.model,
            episode.env_id,
            episode.seed,
            replace(encoded, num_actions=encoded.num_actions - 1),
            EpisodeEnd(_state(episode), len(episode.actions), sum(episode.rewards)),
            first_step=len(episode.actions) + 1 - len(history),
            history=history,
            policy=self.policy,
        )

    def _given(self, action: Mapping[str, Sequence[float]]) -> dict[str, np.ndarray]:
        sizes = {path: math.prod(leaf.shape or ()) for path, leaf in self._leaves.items()}
        found = {path: len(entries) for path, entries in action.items()}
        if found != sizes:
            raise AnyOrderError(f"an action must have the entries {brief(sizes)}; found {brief(found)}")
        return {path: np.array(action[path], np.float64).reshape(leaf.shape or ()) for path, leaf in self._leaves.items()}


def _history(policy: FieldPolicy, episode: FieldEpisode) -> FieldHistory:
    """What the agent knows of an episode that goes on."""
    history = policy.start(episode.mission)
    for observation, action in zip(episode.records, [*episode.actions, None]):
        history.observe(observation)
        if action is not None:
            history.act(action)
    return history


def _state(episode: FieldEpisode) -> str:
    """See `EpisodeEnd`."""
    if not episode.over:
        return "running"
    return named_outcome(episode.success, episode.truncated)


def _check_leaves(name: str, found: spaces.Space[Any], wanted: spaces.Space[Any], root: str) -> None:
    """Raise an AnyOrderError unless a space has all leaves of another, in their shapes."""
    there, known = ({path: leaf.shape for path, leaf in leaves(one, root).items()} for one in (found, wanted))
    if any(there.get(path, ()) != shape or path not in there for path, shape in known.items()):
        raise AnyOrderError(
            f"the environment must have the {root}s of the training data, {brief(known)}; found {brief(there)} in {name};"
            " choose another environment"
        )
