"""A conversation, or an episode of a text world, as the page shows it.

Legend: E elements, R tokens of an action's room, V vocabulary.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

from anyorder.acting.text_history import TextHistory
from anyorder.elements.batch import Batch
from anyorder.elements.layout import Layout
from anyorder.elements.text.codec import TextCodec
from anyorder.elements.text.elements import assemble, collate_text
from anyorder.elements.text.form import ChatForm
from anyorder.elements.text.units import TextUnit
from anyorder.errors import AnyOrderError
from anyorder.inference.decoding import Decoded
from anyorder.inference.text_answers import turn_answer
from anyorder.inference.word_answers import AnsweredWords
from anyorder.masking.order import Order
from anyorder.models.contract import Model
from anyorder.playground.scene import all_shown, from_digits
from anyorder.playground.text_choice import TextChooser
from anyorder.types import Turn

_WORD = re.compile(r"\S+\s*")


@dataclass(frozen=True)
class ShownTurn:
    """A turn, and where its tokens stand among the elements of the part.

    Attributes:
        unit: its tokens.
        role: who speaks.
        text: what is said.
        step: in the whole conversation; -1 for the mission.
        start: the first element, of the mark before it.
    """

    unit: TextUnit
    role: str
    text: str
    step: int
    start: int

    @property
    def places(self) -> range:
        """The elements of its room, without the marks."""
        first = self.start + len(self.unit.before)
        return range(first, first + self.unit.room)

    @property
    def askable(self) -> bool:
        """True if it may be hidden: missions may, and the turns that the model learned to say."""
        return self.unit.asked or self.unit.part == "mission"

    def to_json(self) -> dict[str, Any]:
        """``words`` are texts with their elements; ``filling``: the elements after them in the room; ``elements``: the first
        one of the turn, marks included, and the first one after it."""
        places, texts = self.places, _WORD.findall(self.text)
        words: list[dict[str, Any]] = [{"text": text, "elements": []} for text in texts]
        for place, word in zip(places, self.unit.text.words):
            words[word]["elements"].append(place)
        return {
            "part": self.unit.part,
            "role": self.role,
            "step": self.unit.step,
            "askable": self.askable,
            "words": [word for word in words if word["elements"]],
            "filling": list(places[len(self.unit.text) :]),
            "elements": [self.start, self.start + len(self.unit)],
        }


@dataclass(frozen=True, eq=False)
class TextScene:
    """A conversation, or a part of it that the model can read at once.

    Attributes:
        model: that is asked about it, in evaluation mode.
        codec, form: how it reads conversations.
        env_id: of the data.
        source: name of the conversation.
        mission: the instruction.
        turns: of the part.
        outcome: of the whole, see `anyorder.playground.scene.named_outcome`; ``recorded`` of what nobody played.
        num_actions: of the whole.
        admissible: step of the whole -> what could be done then, where that is known.
        part, num_parts: which one.
        score: of an episode that goes on, so far.
        history, chooser: of one that goes on: what its agent knows, and what chooses for it. The turns are what it reads.
    """

    model: Model[Layout]
    codec: TextCodec
    form: ChatForm
    env_id: str
    source: str
    mission: str
    turns: Sequence[ShownTurn]
    outcome: str
    num_actions: int
    admissible: Mapping[int, Sequence[str]]
    part: int = 0
    num_parts: int = 1
    score: float | None = None
    history: TextHistory | None = None
    chooser: TextChooser | None = None

    @cached_property
    def batch(self) -> Batch[Layout]:
        """Of this part alone."""
        encoded = assemble([turn.unit for turn in self.turns], self.mission, self.codec.end_id)
        return collate_text([encoded], self.codec.pad_id)

    def to_json(self) -> dict[str, Any]:
        """See `anyorder.playground.scene.Scene`."""
        return {
            "env_id": self.env_id,
            "source": self.source,
            "mission": self.mission,
            "turns": [turn.to_json() for turn in self.turns],
            "num_actions": self.num_actions,
            "outcome": self.outcome,
            "score": self.score,
            "part": self.part,
            "num_parts": self.num_parts,
            "first_step": self._first_step,
            "roles": all_shown(self.batch.layout),
        }

    def told(self, order: Order, decoded: Decoded) -> dict[str, Any]:
        """``turns``: number of each turn of which something was asked -> its answer as a whole (`TurnAnswer`), the probability
        of what was said in truth, the answer word by word (`WordAnswer`), and what else could be done there."""
        answered = AnsweredWords(self.codec, self.batch, order, decoded)
        asked = {number: turn for number, turn in enumerate(self.turns) if order.targets[0, list(turn.places)].any()}
        return {"turns": {str(number): self._told(turn, answered) for number, turn in asked.items()}}

    def next_action(self, roles: str, rebuilds: bool) -> dict[str, Any]:
        """See `TextChooser.told`. The agent does not read what is not CONTEXT; what it has tried it knows all the same."""
        if self.history is None or self.chooser is None:
            raise AnyOrderError("only an episode that goes on has a next action; found one that is over; choose a live one")
        if self.outcome != "running":
            raise AnyOrderError(
                f"only an episode that goes on has a next action; found one whose end is {self.outcome}; reset it"
            )
        if rebuilds:
            raise AnyOrderError("an agent in words acts on what it is shown; found rebuilds true; leave it out")
        return self.chooser.told(self.history.reading(from_digits(roles, self.batch.layout)[0]))

    @property
    def _first_step(self) -> int:
        """Of the part, in the whole."""
        return next((turn.step - turn.unit.step for turn in self.turns if turn.step >= 0), 0)

    def _told(self, turn: ShownTurn, answered: AnsweredWords) -> dict[str, Any]:
        inside = torch.zeros(self.batch.layout.shape[1], dtype=torch.bool)
        inside[list(turn.places)] = True
        whole = turn_answer(self.codec, self.batch, answered.order, answered.decoded, inside)
        return {
            "answer": whole.answer,
            "truth": whole.truth,
            "probability": whole.probability,
            "truth_probability": answered.truth_probability(turn.places),
            "num_tokens": whole.num_tokens,
            "right": whole.right,
            "words": [word.to_json() for word in answered.of_turn(turn.places)],
            "candidates": self._candidates(turn, answered.shares_of(turn.places)),
        }

    def _candidates(self, turn: ShownTurn, shares: Tensor | None) -> list[list[Any]]:
        """What could be done in the place of an action that is hidden as a whole, with probabilities that add up to 1, the most
        probable first. Actions that need another room are not among them; none where nobody knows."""
        if turn.unit.part != "action" or shares is None:
            return []
        tokens = {action: self.codec.encode(action).ids for action in self.admissible.get(turn.step, ())}
        fitting = [action for action, ids in tokens.items() if self.form.room("action", len(ids)) == turn.unit.room]
        if not fitting:
            return []
        rooms = [[*tokens[action], *[self.codec.end_id] * (turn.unit.room - len(tokens[action]))] for action in fitting]
        scores = shares.log().gather(1, torch.tensor(rooms).T).sum(dim=0).softmax(dim=0).tolist()
        return [[action, share] for share, action in sorted(zip(scores, fitting), key=lambda one: -one[0])]


def shown_turns(turns: Sequence[Turn], units: Sequence[TextUnit], part: Sequence[TextUnit]) -> list[ShownTurn]:
    """The turns of a part of a conversation.

    Args:
        turns: of the whole.
        units: of all of them.
        part: some of these units, perhaps with other steps, but with the same tokens. Whatever an earlier part asked about may
            be asked for again.
    """
    known = {id(unit.text): (unit, turn) for unit, turn in zip(units, turns, strict=True)}
    found = []
    for unit, start in zip(part, accumulate(map(len, part), initial=0)):
        whole, turn = known[id(unit.text)]
        found.append(ShownTurn(replace(unit, asked=whole.asked), turn.role, turn.text, whole.step, start))
    return found
