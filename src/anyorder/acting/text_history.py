"""What an agent was told and what it did so far, as the tokens of the question what it does next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from copy import copy

import numpy as np

from anyorder.elements.text.codec import TextCodec, Tokens
from anyorder.elements.text.elements import EncodedText, assemble
from anyorder.elements.text.form import ChatForm
from anyorder.elements.text.units import TextUnit, shorten
from anyorder.envs.played_text import AGENT_ROLE, MISSION_ROLE, WORLD_ROLE
from anyorder.envs.telling import TextView

ROLE_OF_PART = {"mission": MISSION_ROLE, "observation": WORLD_ROLE, "action": AGENT_ROLE}


class TextHistory:
    """The history of one episode. Each turn is read by the tokenizer once.

    Args:
        codec: of the model's tokenizer.
        form: of the conversations that the model was trained on.
        limit: how many tokens a question may have; the oldest steps of a longer one are left out.
        mission: the instruction; empty where there is none.

    Attributes:
        view: what the agent sees now; None before the first observation.
        tried: how often each (observation, action) was done.
        tokens_read: how many tokens a model has read to choose the actions, in all passes; what it writes is among them.
    """

    def __init__(self, codec: TextCodec, form: ChatForm, limit: int, mission: str) -> None:
        self._codec, self._form, self._limit, self._mission = codec, form, limit, mission
        self._units: list[TextUnit] = []
        self._step = 0
        self.view: TextView | None = None
        self.tried: Counter[tuple[str, str]] = Counter()
        self.tokens_read = 0
        if mission:
            self._units.append(self._unit("mission", mission))

    def copy(self) -> TextHistory:
        """A history of the same past, which goes on by itself."""
        other = copy(self)
        other._units, other.tried = list(self._units), Counter(self.tried)
        return other

    def observe(self, view: TextView) -> None:
        """Add an observation; the action before it is that of the view."""
        if view.done is not None:
            assert self.view is not None, "an episode begins with an observation"
            self.tried[self.view.text, view.done] += 1
            self._units.append(self._unit("action", view.done))
            self._step += 1
        self.view = view
        self._units.append(self._unit("observation", view.text))

    def tried_here(self) -> dict[str, int]:
        """Action -> how often it was done after exactly the last observation."""
        assert self.view is not None, "an episode begins with an observation"
        return {action: times for (text, action), times in self.tried.items() if text == self.view.text}

    def times_tried(self, actions: Sequence[str]) -> np.ndarray:
        """int64 ``[number of actions]``: how often each was done after exactly the last observation."""
        tried = self.tried_here()
        return np.array([tried.get(action, 0) for action in actions])

    def room_of(self, action: str) -> int:
        """How many tokens the room of an action has."""
        return self._form.room("action", len(self._codec.encode(action)))

    def question(self, room: int) -> EncodedText:
        """The history, and after it an action that has so many tokens of room, all of them still end tokens.

        Raises:
            TooLong: when the mission and the last observation do not fit.
        """
        asked = self._unit("action", "", room)
        return assemble(shorten([*self._units, asked], self._limit), self._mission, self._codec.end_id)

    def _unit(self, part: str, text: str, room: int | None = None) -> TextUnit:
        before, after = (
            self._codec.encode_marks(mark) for mark in self._form.around(ROLE_OF_PART[part], first=not self._units)
        )
        tokens = self._codec.encode(text) if text else Tokens((), ())
        room = self._form.room(part, len(tokens)) if room is None else room
        step = -1 if part == "mission" else self._step
        return TextUnit(part, step, self._form.asks_about(part), before, tokens, room, after)
