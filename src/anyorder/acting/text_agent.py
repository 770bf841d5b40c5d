"""Acting in text environments by scoring what is admissible: one pass over the history answers for all actions at once.

The tokens of an action are asked together, each without the others, as in training. So the probability of every action of the
same room follows from the logits of one pass, whatever their number.

Legend: N episodes in progress, R tokens of an action's room, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from anyorder.acting.text_history import TextHistory
from anyorder.acting.text_player import TextPlayer, admissible_now


@dataclass(frozen=True, eq=False)
class TextAgent(TextPlayer):
    """Chooses among admissible actions by their probabilities; attributes as of `TextPlayer`."""

    def act(self, histories: Sequence[TextHistory], generators: Sequence[np.random.Generator]) -> list[str]:
        """See `TextPlayer`.

        Raises:
            AnyOrderError: where it is not known what is admissible.
        """
        found = self.log_probabilities(histories)
        return [self.choice(*one) for one in zip(histories, found, generators)]

    def log_probabilities(self, histories: Sequence[TextHistory]) -> list[Tensor]:
        """For each history, the log-probability of each admissible action, float32 ``[number of actions]``, in nats; the
        admissible actions together have probability 1.

        Raises:
            AnyOrderError: where it is not known what is admissible.
        """
        rooms = [[self.room_of(action) for action in admissible_now(history)] for history in histories]
        asked = [(number, room) for number, of_one in enumerate(rooms) for room in sorted(set(of_one))]
        answers = self._answers([(histories[number], room) for number, room in asked])
        found = [torch.empty(len(of_one)) for of_one in rooms]
        for (number, room), answer in zip(asked, answers):
            places = [place for place, found_room in enumerate(rooms[number]) if found_room == room]
            actions = admissible_now(histories[number])
            tokens = self.tokens([actions[place] for place in places], room)
            found[number][places] = answer.gather(1, tokens.T).sum(dim=0)
        return [scores.log_softmax(dim=0) for scores in found]

    def _answers(self, asked: Sequence[tuple[TextHistory, int]]) -> list[Tensor]:
        """For each history and room of its action, the log-probabilities of that action's tokens, float32 ``[R, V]``."""
        found: dict[int, Tensor] = {}
        for chosen, batch, order in self.asked([history.question(room) for history, room in asked]):
            found |= zip(chosen, self.read([asked[number][0] for number in chosen], batch, order))
        return [found[number] for number in range(len(asked))]

    def choice(self, history: TextHistory, log_probabilities: Tensor, generator: np.random.Generator) -> str:
        """What the agent does, where it finds these log-probabilities (`log_probabilities`) and heeds what it has tried."""
        actions = admissible_now(history)
        scores = log_probabilities.double().numpy() - self.tried_penalty * history.times_tried(actions)
        return actions[self.drawn(scores, generator)]
