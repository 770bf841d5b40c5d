"""Finds the conversations that the page asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from anyorder.elements.layout import Layout
from anyorder.elements.text.codec import TextCodec
from anyorder.elements.text.elements import Shortening, last_steps
from anyorder.elements.text.form import ChatForm
from anyorder.elements.text.units import text_units
from anyorder.envs.played_text import PlayedText, played_text
from anyorder.errors import AnyOrderError
from anyorder.models.contract import Model
from anyorder.playground.scene import EPISODES_REMEMBERED, check_live, check_part, check_recorded, named_outcome
from anyorder.playground.text_scene import TextScene, shown_turns
from anyorder.playground.text_stage import TextStage
from anyorder.playground.wire import LiveText, Played, Recorded, Source
from anyorder.types import TextTrajectory

TEXT_ASKS = {
    "next_action": "What does the agent do next?",
    "inverse_dynamics": "Which action led here?",
    "infill": "What happened in between?",
    "future": "What happens from here on?",
    "goal_conditioned": "What to do to reach a later observation?",
    "waypoints": "What to do to pass several later observations?",
}
"""The queries in plain words."""
OBSERVATION_ASKS = {
    "forward_dynamics": "What follows its action?",
    "backward_dynamics": "What came before?",
    "hidden_cells": "Which words of observations are hidden?",
}
"""Those that ask for observations alone."""


class TextScenes:
    """Finds what the page asks for.

    Args:
        model: of conversations, in evaluation mode.
        codec, form: how it reads them.
        limit: how many tokens it reads at once.
        env_id: where the conversations come from.
        recorded: conversations of a data set.
        cut: what becomes of those that are too long.
        stage: plays others; None where the environment cannot be made here, or nobody played at all.
    """

    def __init__(
        self,
        model: Model[Layout],
        codec: TextCodec,
        form: ChatForm,
        limit: int,
        env_id: str,
        recorded: Sequence[TextTrajectory],
        cut: Shortening = last_steps,
        stage: TextStage | None = None,
    ) -> None:
        self.model, self.codec, self.form, self.limit = model, codec, form, limit
        self.env_id, self.recorded, self.cut, self.stage = env_id, recorded, cut, stage
        self._whole = lru_cache(EPISODES_REMEMBERED)(self._play_or_find)

    def about(self) -> dict[str, Any]:
        """See `anyorder.playground.scene.Scenes`; ``asks`` are the queries that the model can answer."""
        says = self.form.asks_about("observation")
        expert = self.stage is not None and self.stage.has_expert
        return {
            "kind": "text",
            "env_id": self.env_id if self.stage is None else self.stage.env_id,
            "num_recorded": len(self.recorded),
            "players": ["agent", *(["bot"] if expert else [])],
            "plays": self.stage is not None,
            "asks": TEXT_ASKS | (OBSERVATION_ASKS if says else {}),
        }

    def pictures(self) -> dict[str, Any]:
        """None: conversations are words."""
        return {}

    def scene(self, source: Source) -> TextScene:
        """See `anyorder.playground.scene.Scenes`. Raises a `TooLong` for a conversation that the model cannot read."""
        if not isinstance(source, (Recorded, Played)):
            check_live(source.kind, "live_text")
            assert isinstance(source, LiveText)
            return self._playing().live(source.seed, source.actions)
        whole = self._whole(source.model_copy(update={"part": 0}))
        units = text_units(whole, self.codec, self.form)
        parts = self.cut(units, self.limit, whole.source, self.form.first_steps)
        check_part(source.part, len(parts))
        played = _played(whole)
        return TextScene(
            self.model,
            self.codec,
            self.form,
            self.env_id if played is None else played.env_id,
            whole.source,
            whole.mission,
            shown_turns(whole.turns, units, parts[source.part]),
            "recorded" if played is None else named_outcome(played.success, played.truncated),
            len(whole),
            _admissible(played),
            source.part,
            len(parts),
        )

    def close(self) -> None:
        """See `anyorder.playground.scene.Scenes`."""
        if self.stage is not None:
            self.stage.close()

    def _play_or_find(self, source: Recorded | Played) -> TextTrajectory:
        if isinstance(source, Played):
            return self._playing().played(source.seed, source.player).conversation()
        check_recorded(source.number, len(self.recorded))
        return self.recorded[source.number]

    def _playing(self) -> TextStage:
        if self.stage is None:
            raise AnyOrderError(f"{self.env_id} cannot be played here; choose a recorded conversation")
        return self.stage


def _played(whole: TextTrajectory) -> PlayedText | None:
    """The episode; None for a conversation that nobody played here."""
    try:
        return played_text(whole)
    except (ValueError, TypeError, KeyError, AnyOrderError):
        return None


def _admissible(played: PlayedText | None) -> Mapping[int, Sequence[str]]:
    return {} if played is None else dict(enumerate(played.admissible))
