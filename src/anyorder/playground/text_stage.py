"""Plays episodes of text environments for the page: to their end, or one action after the other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import gymnasium as gym

from anyorder.acting.text_history import TextHistory
from anyorder.acting.text_rollout import make_text_environment
from anyorder.envs.episode import reason_of
from anyorder.envs.experts import has_expert, known_expert
from anyorder.envs.minigrid import SEPARATOR, level_of
from anyorder.envs.played_text import PlayedText
from anyorder.envs.telling import TextEpisode, TextView
from anyorder.errors import AnyOrderError
from anyorder.playground.scene import named_outcome
from anyorder.playground.text_choice import TextChooser
from anyorder.playground.text_scene import TextScene, shown_turns
from anyorder.playground.wire import MOST_ACTIONS

CLOSES_WITHIN = 2.0
"""Seconds that closing waits for an episode that is being played."""


class TextStage:
    """Text environments that a model's episodes are played in, one of each id.

    Args:
        chooser: of the model.
        env_id: registered; several, joined by ``+``, take turns (`anyorder.envs.minigrid.level_of`).

    Raises:
        AnyOrderError: for an environment that cannot be made, or is not played in words.
    """

    def __init__(self, chooser: TextChooser, env_id: str) -> None:
        self.chooser, self.env_id = chooser, env_id
        self._envs: dict[str, gym.Env] = {}
        for level in env_id.split(SEPARATOR):
            self._environment(level)
        self._lock = threading.Lock()
        self._episode: TextEpisode | None = None
        self._history: TextHistory | None = None

    @property
    def has_expert(self) -> bool:
        """True where each environment has gold paths, or a known expert."""
        return all(
            hasattr(self._environment(level).unwrapped, "gold_path") or has_expert(level)
            for level in self.env_id.split(SEPARATOR)
        )

    def played(self, seed: int, player: str) -> PlayedText:
        """An episode that the ``agent`` or the expert (``bot``) plays to its end.

        Raises:
            AnyOrderError: where either fails, or does not come to an end.
        """
        with self._lock:
            self._episode = None
            try:
                episode, history = self._begin(seed)
                act = self._agent(history) if player == "agent" else known_expert(episode.env, seed)
                while not episode.over and len(episode.done) < MOST_ACTIONS:
                    episode.step(act(episode.views[-1]))
            except AnyOrderError:
                raise
            except Exception as error:  # a gold path may raise anything
                raise AnyOrderError(f"the {player} failed on seed {seed} ({reason_of(error)}); choose another seed") from error
        if not episode.over:
            raise AnyOrderError(
                f"an episode must end within {MOST_ACTIONS:,} actions; found that of seed {seed} going on; choose another seed"
            )
        return episode.trajectory()

    def live(self, seed: int, actions: Sequence[str]) -> TextScene:
        """The episode that these actions lead to from this seed. The environment stays where the last call left it; for another
        past, it is reset and plays that past again.

        Raises:
            AnyOrderError: for an action after the end, or one at which the environment fails; or when what was seen does not
                fit into what the model reads.
        """
        with self._lock:
            episode, history, self._episode = self._episode, self._history, None  # should this fail, the next call starts anew
            past = tuple(actions)
            if episode is None or history is None or seed != episode.seed or episode.done != past[: len(episode.done)]:
                episode, history = self._begin(seed)
            for action in past[len(episode.done) :]:
                if episode.over:
                    raise AnyOrderError(f"this episode ended after {len(episode.done)} actions; reset it to go on")
                history.observe(episode.step(action))
            self._episode, self._history = episode, history
            return self._scene(episode, history.copy())

    def close(self) -> None:
        """Close the environments; another call makes them again."""
        if self._lock.acquire(timeout=CLOSES_WITHIN):
            self._episode = None
            for env in self._envs.values():
                env.close()
            self._envs.clear()
            self._lock.release()

    def _environment(self, level: str) -> gym.Env:
        if level not in self._envs:
            self._envs[level] = make_text_environment(level)
        return self._envs[level]

    def _begin(self, seed: int) -> tuple[TextEpisode, TextHistory]:
        level = level_of(self.env_id, seed)
        episode = TextEpisode(self._environment(level), level, seed)
        history = self.chooser.start(episode.mission)
        history.observe(episode.views[0])
        return episode, history

    def _agent(self, history: TextHistory) -> Callable[[TextView], str]:
        def act(view: TextView) -> str:
            if view.done is not None:
                history.observe(view)
            return self.chooser.told(history)["action"]

        return act

    def _scene(self, episode: TextEpisode, history: TextHistory) -> TextScene:
        agent, read = self.chooser.agent, history.read_now()
        return TextScene(
            agent.model,
            agent.codec,
            agent.form,
            episode.env_id,
            f"{episode.env_id}:{episode.seed}",
            episode.mission,
            shown_turns(episode.turns(), history.units, read),
            "running" if not episode.over else named_outcome(episode.success, episode.truncated),
            len(episode.done),
            dict(enumerate(view.admissible for view in episode.views)),
            score=episode.views[-1].score,
            history=history,
            chooser=self.chooser,
        )
