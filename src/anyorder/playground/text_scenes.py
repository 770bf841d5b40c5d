"""Finds the conversations that the page asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any

from anyorder.elements.layout import Layout
from anyorder.elements.text.codec import TextCodec
from anyorder.elements.text.elements import Shortening, last_steps
from anyorder.elements.text.form import ChatForm
from anyorder.elements.text.units import TextUnit, text_units
from anyorder.envs.played_text import PlayedText, played_text
from anyorder.errors import AnyOrderError
from anyorder.models.contract import Model
from anyorder.playground.scene import check_part, check_recorded, named_outcome
from anyorder.playground.text_scene import ShownTurn, TextScene
from anyorder.playground.wire import Recorded, Source
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
    ) -> None:
        self.model, self.codec, self.form, self.limit = model, codec, form, limit
        self.env_id, self.recorded, self.cut = env_id, recorded, cut

    def about(self) -> dict[str, Any]:
        """See `anyorder.playground.scene.Scenes`; ``asks`` are the queries that the model can answer."""
        says = self.form.asks_about("observation")
        return {
            "kind": "text",
            "env_id": self.env_id,
            "num_recorded": len(self.recorded),
            "players": [],
            "plays": False,
            "asks": TEXT_ASKS | (OBSERVATION_ASKS if says else {}),
        }

    def pictures(self) -> dict[str, Any]:
        """None: conversations are words."""
        return {}

    def scene(self, source: Source) -> TextScene:
        """See `anyorder.playground.scene.Scenes`. Raises a `TooLong` for a conversation that the model cannot read."""
        if not isinstance(source, Recorded):
            raise AnyOrderError(f"conversations are shown as they were recorded; found {source.kind}; choose a recorded one")
        check_recorded(source.number, len(self.recorded))
        whole = self.recorded[source.number]
        units = text_units(whole, self.codec, self.form)
        parts = self.cut(units, self.limit, whole.source)
        check_part(source.part, len(parts))
        played = _played(whole)
        return TextScene(
            self.model,
            self.codec,
            self.form,
            self.env_id,
            whole.source,
            whole.mission,
            shown_turns(whole, units, parts[source.part]),
            "recorded" if played is None else named_outcome(played.success, played.truncated),
            len(whole),
            _admissible(played),
            source.part,
            len(parts),
        )


def shown_turns(whole: TextTrajectory, units: Sequence[TextUnit], part: Sequence[TextUnit]) -> list[ShownTurn]:
    """The turns of a part of a conversation.

    Args:
        whole: the conversation.
        units: of all its turns.
        part: some of these units, perhaps with other steps, but with the same tokens. Whatever an earlier part asked about may
            be asked for again.
    """
    known = {id(unit.text): (unit.asked, turn, step) for unit, turn, step in zip(units, whole.turns, whole.steps)}
    found = []
    for unit, start in zip(part, accumulate(map(len, part), initial=0)):
        asked, turn, step = known[id(unit.text)]
        found.append(ShownTurn(replace(unit, asked=asked), turn.role, turn.text, step, start))
    return found


def _played(whole: TextTrajectory) -> PlayedText | None:
    """The episode; None for a conversation that nobody played here."""
    try:
        return played_text(whole)
    except (ValueError, TypeError, KeyError, AnyOrderError):
        return None


def _admissible(played: PlayedText | None) -> Mapping[int, Sequence[str]]:
    return {} if played is None else dict(enumerate(played.admissible))
