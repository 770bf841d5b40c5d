"""What an agent was told and what it did so far, as the tokens of the question what it does next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from anyorder.acting.text_corruptions import ReadText
from anyorder.acting.tried_texts import TriedTexts
from anyorder.elements.text.codec import TextCodec, Tokens
from anyorder.elements.text.elements import EncodedText, assemble
from anyorder.elements.text.form import ChatForm
from anyorder.elements.text.units import TextUnit, shorten
from anyorder.envs.played_text import AGENT_ROLE, MISSION_ROLE, WORLD_ROLE
from anyorder.envs.telling import TextView
from anyorder.masking.order import Role

NO_TOKENS = Tokens((), ())
ROLE_OF_PART = {"mission": MISSION_ROLE, "observation": WORLD_ROLE, "action": AGENT_ROLE}


@dataclass(frozen=True, eq=False)
class PartlyRead(EncodedText):
    """A question of an agent that does not see all of its past.

    Attributes:
        roles: int64, a `Role` for each of the first tokens; the rest is as the question has it.
    """

    roles: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.int64))


class TextHistory:
    """The history of one episode. Each turn is read by the tokenizer once.

    Args:
        codec: of the model's tokenizer.
        form: of the conversations that the model was trained on.
        limit: how many tokens a question may have; the oldest steps of a longer one are left out, and the end of an observation
            that does not fit by itself.
        mission: the instruction; empty where there is none.

    Attributes:
        view: what the environment shows now; None before the first observation. The agent reads what it can do from it.
        tokens_read: how many tokens a model has read to choose the actions, in all passes; what it writes is among them.
    """

    def __init__(self, codec: TextCodec, form: ChatForm, limit: int, mission: str) -> None:
        self._codec, self._form, self._limit, self._mission = codec, form, limit, mission
        self._units: list[TextUnit] = []
        self._step = 0
        self.view: TextView | None = None
        self._read, self._tried = ReadText(""), TriedTexts()
        self._roles: Tensor | None = None
        self.tokens_read = 0
        if mission:
            self._units.append(self._unit("mission", codec.encode(mission)))

    def copy(self) -> TextHistory:
        """A history of the same past, which goes on by itself."""
        other = copy(self)
        other._units, other._tried = list(self._units), self._tried.copy()
        return other

    @property
    def units(self) -> Sequence[TextUnit]:
        """The mission, where there is one, then observations and actions in turn."""
        return tuple(self._units)

    def read_now(self) -> list[TextUnit]:
        """The units that the model reads to choose the next action, whatever room that takes: the mission, the first
        steps of the form and as many of the last steps as fit, numbered from 0.

        Raises:
            TooLong: when the mission does not fit.
        """
        possible = () if self.view is None else self.view.admissible
        room = max(map(self.room_of, possible), default=self._form.room("action", 0))
        return self._fitting(self._unit("action", NO_TOKENS, room))[:-1]

    def _fitting(self, question: TextUnit) -> list[TextUnit]:
        """The past and what is asked, shortened to what fits."""
        units, head = list(self._units), self._form.first_steps
        if units and units[-1].part == "observation":
            kept = [unit for unit in units[:-1] if unit.part == "mission" or unit.step < head]
            missing = sum(map(len, [*kept, units[-1], question])) - self._limit
            if 0 < missing < units[-1].room:
                units[-1] = units[-1].cut(units[-1].room - missing)
        return shorten([*units, question], self._limit, first_steps=head)

    def reading(self, roles: Tensor) -> TextHistory:
        """A history of the same past for an agent that does not see all of it when it chooses the next action.

        Args:
            roles: int64 ``[E]``, a `Role` for each token of `read_now`. What is asked for there is only hidden here.
        """
        other = self.copy()
        other._units = self.read_now()
        other._step = other._units[-1].step
        other._roles = torch.where(roles == Role.TARGET, int(Role.HIDDEN), roles)
        return other

    @property
    def tried(self) -> Counter[str]:
        """How often each action was done after the present observation, as far as the agent knows it."""
        return self._tried.after(self._read.words)

    def observe(self, view: TextView, read: ReadText | None = None) -> None:
        """Add an observation; the action before it is that of the view.

        Args:
            view: what the environment shows.
            read: what reaches the agent of its text; None: all.
        """
        if view.done is not None:
            assert self.view is not None, "an episode begins with an observation"
            self._tried.add(self._read.words, view.done)
            self._units.append(self._unit("action", self._codec.encode(view.done)))
            self._step += 1
        self.view, self._read = view, read or ReadText(view.text)
        self._units.append(self._observation(self._read))

    def times_tried(self, actions: Sequence[str]) -> np.ndarray:
        """int64 ``[number of actions]``: how often each was done after the present observation, see `tried`."""
        tried = self.tried
        return np.array([tried[action] for action in actions])

    def room_of(self, action: str) -> int:
        """How many tokens the room of an action has."""
        return self._form.room("action", len(self._codec.encode(action)))

    def question(self, room: int) -> EncodedText:
        """The history, and after it an action that has so many tokens of room, all of them still end tokens.

        Raises:
            TooLong: when the mission does not fit.
        """
        asked = self._unit("action", NO_TOKENS, room)
        question = assemble(self._fitting(asked), self._mission, self._codec.end_id)
        return question if self._roles is None else PartlyRead(**vars(question), roles=self._roles)

    def _observation(self, read: ReadText) -> TextUnit:
        """What the agent is told that it did not receive are mask tokens; of a whole observation, as many as the smallest room
        has."""
        mask = self._codec.mask_id
        if read.text is None:
            room = self._form.rooms["observation"]
            return self._unit("observation", Tokens((mask,) * room, (0,) * room), room)
        tokens = self._codec.encode(read.text)
        ids = (mask if word in read.unknown else token for token, word in zip(tokens.ids, tokens.words))
        return self._unit("observation", Tokens(tuple(ids), tokens.words))

    def _unit(self, part: str, tokens: Tokens, room: int | None = None) -> TextUnit:
        before, after = (
            self._codec.encode_marks(mark) for mark in self._form.around(ROLE_OF_PART[part], first=not self._units)
        )
        room = self._form.room(part, len(tokens)) if room is None else room
        step = -1 if part == "mission" else self._step
        return TextUnit(part, step, self._form.asks_about(part), before, tokens, room, after)
