"""Open-loop imagination in words: a model that goes on with a conversation as its own world, and perhaps as its own agent.

It is asked for each observation as in forward dynamics, from the mission and the last steps that it reads. A hidden turn shows
its room, which nobody knows beforehand: the model is asked in each room that observations of its data have, and says the turn
in the one that its words need and where it is the surest of them. `anyorder.acting.imagination` does the same in grids.

Legend: N conversations, H imagined steps, R tokens of a room.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch

from anyorder.acting.text_history import ROLE_OF_PART
from anyorder.elements.batch import Batch
from anyorder.elements.layout import Layout
from anyorder.elements.text.codec import TextCodec, Tokens
from anyorder.elements.text.elements import assemble, collate_text
from anyorder.elements.text.form import ChatForm
from anyorder.elements.text.units import TextUnit, shorten, text_units
from anyorder.errors import AnyOrderError
from anyorder.inference.decoding import ByConfidence, Decoder, SinglePass
from anyorder.masking.order import Order
from anyorder.masking.queries import ForwardDynamicsQuery, NextActionQuery
from anyorder.models.contract import Model
from anyorder.types import TextTrajectory, Turn


@dataclass(frozen=True)
class SaidTurn:
    """A turn that a model said.

    Attributes:
        turn: in words.
        tokens: all R of its room, end tokens after the words included.
        probability: geometric mean over its words and the first end token, of each when it was chosen.
    """

    turn: Turn
    tokens: tuple[int, ...]
    probability: float

    def num_words(self, codec: TextCodec) -> int:
        """How many tokens stand before the first end token."""
        return self.tokens.index(codec.end_id) if codec.end_id in self.tokens else len(self.tokens)


@dataclass(frozen=True)
class ImaginedStep:
    """An action, and what the model says that follows.

    Attributes:
        action: that was given, or said by the model.
        observation: as the model imagines it.
    """

    action: Turn
    observation: SaidTurn


@dataclass(frozen=True, eq=False)
class TextWorld:
    """A model of conversations that says what comes next.

    Attributes:
        model: in evaluation mode; trained with ``next_observation`` or ``forward_dynamics``.
        codec: of its tokenizer.
        form: of the conversations that it was trained on.
        limit: how many tokens it reads at once; the oldest steps of a longer conversation are left out.
        rooms: that observations may have, in tokens, see `observation_rooms`.
        decoder: chooses the tokens of a turn.

    Raises:
        AnyOrderError: for a model that was never asked about observations.
    """

    model: Model[Layout]
    codec: TextCodec
    form: ChatForm
    limit: int
    rooms: Sequence[int]
    decoder: Decoder = ByConfidence(num_passes=8)

    def __post_init__(self) -> None:
        if not self.form.asks_about("observation"):
            raise AnyOrderError(
                "imagination needs a model that was asked about observations; found one whose language_model.rooms.observation"
                " is 0; train one with --language_model.rooms.observation 32 and next_observation in masking.mixture"
            )

    def imagine(
        self, history: Sequence[Turn], choose: ChooseTurn, horizon: int, generator: torch.Generator | None = None
    ) -> list[ImaginedStep]:
        """Go on with a conversation for ``horizon`` steps.

        Args:
            history: the mission, then observations and actions in turn; its next action is still open.
            choose: gives the actions: `given_turns`, or `act`.
            horizon: H, at least 1; fewer steps are imagined where ``choose`` has no more actions.
            generator: for a decoder that draws, on the CPU; None: seeded with 0.

        Raises:
            TooLong: where the mission and the last step do not fit.
        """
        so_far, steps = list(history), list[ImaginedStep]()
        generator = generator or torch.Generator().manual_seed(0)
        for number in range(horizon):
            action = choose(so_far, number, generator)
            if action is None:
                break
            observation = self.observe([*so_far, action], generator)
            steps.append(ImaginedStep(action, observation))
            so_far += [action, observation.turn]
        return steps

    def act(self, history: Sequence[Turn], number: int, generator: torch.Generator) -> Turn:
        """A `ChooseTurn`: the model's own action, in free words, at most as long as the smallest room of actions."""
        return self._say(history, "action", self.form.rooms["action"], self.decoder, generator).turn

    def observe(self, history: Sequence[Turn], generator: torch.Generator) -> SaidTurn:
        """What the model says that follows the last action of a conversation.

        Raises:
            TooLong: where the mission and the last step do not fit beside the smallest room.
        """
        room = self._room(history, generator) if len(self.rooms) > 1 else self.rooms[0]
        return self._say(history, "observation", room, self.decoder, generator)

    def _room(self, history: Sequence[Turn], generator: torch.Generator) -> int:
        """Where the model is the surest of its words, in one pass; among the rooms that its words need, if there are any."""
        rooms = [room for room in self.rooms if self._fits(history, room)] or [self.rooms[0]]
        said = [self._say(history, "observation", room, SinglePass(), generator) for room in rooms]
        needed = [one for one in said if self.form.room("observation", one.num_words(self.codec)) == len(one.tokens)]
        return len(max(needed or said, key=lambda one: one.probability).tokens)

    def _say(self, history: Sequence[Turn], part: str, room: int, decoder: Decoder, generator: torch.Generator) -> SaidTurn:
        batch, order = self._question(history, part, room)
        decoded = decoder(self.model, batch, order, generator)
        said = decoded.values[order.targets].tolist()
        words = said.index(self.codec.end_id) + 1 if self.codec.end_id in said else len(said)
        sure = decoded.probability[order.targets][:words].double().log().mean().exp()
        turn = Turn(part, ROLE_OF_PART[part], self.codec.decode(said), asked=True)
        return SaidTurn(turn, tuple(said), float(sure))

    def _question(self, history: Sequence[Turn], part: str, room: int) -> tuple[Batch[Layout], Order]:
        """The conversation with one more turn, whose tokens nobody reads, and the order that asks for it."""
        kept = shorten(self._units(history, part, room), self.limit, "the conversation", self.form.first_steps)
        batch = collate_text([assemble(kept, "", self.codec.end_id)], self.codec.pad_id)
        last = max(unit.step for unit in kept)
        query = NextActionQuery(last) if part == "action" else ForwardDynamicsQuery(last - 1)
        return batch, query(batch.layout)

    def _units(self, history: Sequence[Turn], part: str, room: int) -> list[TextUnit]:
        """Those of the history, and an open one of this room."""
        open_turn = Turn(part, ROLE_OF_PART[part], "", asked=True)
        *units, asked = text_units(TextTrajectory("imagined", (*history, open_turn)), self.codec, self.form)
        return [*units, TextUnit(part, asked.step, True, asked.before, Tokens((), ()), room, asked.after)]

    def _fits(self, history: Sequence[Turn], room: int) -> bool:
        """True if the mission and the last step fit beside the room."""
        units = self._units(history, "observation", room)
        last = units[-1].step - 1
        return sum(len(unit) for unit in units if unit.step < 0 or unit.step >= last) <= self.limit


ChooseTurn = Callable[[Sequence[Turn], int, torch.Generator], Turn | None]
"""From a conversation and the number of the imagined step (0, 1, ...) to the next action; None where there is none. A generator
is there for what draws."""


def given_turns(actions: Sequence[Turn]) -> ChooseTurn:
    """A `ChooseTurn` that follows a plan, to its end."""
    return lambda history, number, generator: actions[number] if number < len(actions) else None


def observation_rooms(trajectories: Iterable[TextTrajectory], codec: TextCodec, form: ChatForm) -> list[int]:
    """The rooms that the observations of conversations have, the smallest first; that of the form where there are none."""
    texts = {turn.text for one in trajectories for turn in one.turns if turn.part == "observation"}
    return sorted({form.room("observation", len(codec.encode(text))) for text in texts} or {form.rooms["observation"]})
