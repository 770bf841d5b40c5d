"""Acting in text environments by writing: the masks in an action's room become tokens in a few passes, the surest first.

After each pass the tokens that the model is surest of are kept, and those above a threshold with them; the rest is asked again
given these (`anyorder.inference.decoding.decode_in_rounds`). In one pass the tokens of an action are independent of each other;
in several they follow one another's lead.

Legend: N episodes in progress, A admissible actions, R tokens of an action's room, V vocabulary.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from anyorder.acting.text_agent import TextAgent
from anyorder.acting.text_history import TextHistory
from anyorder.acting.text_player import TextPlayer, admissible_now
from anyorder.elements.batch import Batch
from anyorder.elements.layout import Layout
from anyorder.inference.decoding import decode_in_rounds
from anyorder.masking.order import Order


@dataclass(frozen=True, eq=False)
class WritingAgent(TextPlayer):
    """Writes actions in rounds; attributes as of `TextPlayer`, and:

    Attributes:
        num_passes: the most passes for an action.
        threshold: tokens that are surer than this are all kept (0 to 1).
    """

    num_passes: int = 4
    threshold: float = 0.95

    def write(
        self, histories: Sequence[TextHistory], rooms: Sequence[int], generators: Sequence[np.random.Generator]
    ) -> list[str]:
        """An action for each history, each in so many tokens of room."""
        found: dict[int, str] = {}
        for chosen, batch, order in self.asked([history.question(room) for history, room in zip(histories, rooms)]):
            here = [(histories[number], generators[number]) for number in chosen]
            room_of = [batch_row.nonzero()[:, 0] for batch_row in order.targets]

            def guess(now: Batch[Layout], asked: Order, rows: Tensor) -> tuple[Tensor, Tensor]:
                those = [here[row] for row in rows.tolist()]  # noqa: B023
                answers = self.read([history for history, _ in those], now, asked)
                proposed = []
                for number, (row, answer) in enumerate(zip(rows.tolist(), answers)):
                    inside = room_of[row]  # noqa: B023
                    tokens, is_open = now.values[number, inside], asked.targets[number, inside]
                    history, generator = those[number]
                    proposed.append(self.propose(history, generator, answer, tokens, is_open))
                values, sure = zip(*proposed)
                return torch.cat(values), torch.cat(sure)

            written = decode_in_rounds(batch, order, self.num_passes, guess, self.threshold).values
            found |= {number: self.codec.decode(row[room].tolist()) for number, row, room in zip(chosen, written, room_of)}
        return [found[number] for number in range(len(histories))]

    @abstractmethod
    def propose(
        self, history: TextHistory, generator: np.random.Generator, answer: Tensor, tokens: Tensor, is_open: Tensor
    ) -> tuple[Tensor, Tensor]:
        """What to write at the places of a room that are still open.

        Args:
            history: whose action is written.
            generator: of the draws.
            answer: float32 ``[number of open places, V]``, log-probabilities.
            tokens: int64 ``[R]``; what is written, where it is.
            is_open: bool ``[R]``.

        Returns:
            Tokens, int64 ``[number of open places]``, and how sure each is, 0 to 1, float32 of the same shape.
        """


@dataclass(frozen=True, eq=False)
class GeneratingAgent(WritingAgent):
    """Writes freely, at most as long as the form's smallest room for actions. What it writes need not be admissible, and nobody
    needs to know what is. The least sure token loses the ``tried_penalty`` where it would complete an action that was tried."""

    def act(self, histories: Sequence[TextHistory], generators: Sequence[np.random.Generator]) -> list[str]:
        """See `TextPlayer`."""
        return self.write(histories, [self.form.room("action", 0)] * len(histories), generators)

    def propose(
        self, history: TextHistory, generator: np.random.Generator, answer: Tensor, tokens: Tensor, is_open: Tensor
    ) -> tuple[Tensor, Tensor]:
        """See `WritingAgent`."""
        values = torch.tensor([self.drawn(row, generator) for row in answer.double().numpy()])
        sure = answer.gather(1, values[:, None])[:, 0]
        last = int(sure.argmin())
        penalties = self._penalties(history, tokens.masked_scatter(is_open, values), int(is_open.nonzero()[last, 0]))
        if penalties:
            scores = answer[last].double().numpy()
            scores[list(penalties)] -= self.tried_penalty * np.array(list(penalties.values()))
            values[last] = self.drawn(scores, generator)
            sure[last] = answer[last, values[last]]
        return values, sure.exp()

    def _penalties(self, history: TextHistory, tokens: Tensor, place: int) -> dict[int, int]:
        """Token -> how often that action was tried that it would complete at this place."""
        found, elsewhere = dict[int, int](), torch.arange(len(tokens)) != place
        for action, times in history.tried.items():
            if self.room_of(action) == len(tokens):
                (tried,) = self.tokens([action], len(tokens))
                if torch.equal(tried[elsewhere], tokens[elsewhere]):
                    found[int(tried[place])] = times
        return found


@dataclass(frozen=True, eq=False)
class ConstrainedAgent(WritingAgent):
    """Writes only what is admissible. In each pass it proposes one of the admissible actions that agree with what is written so
    far, by its probability, as `TextAgent` does; a token is as sure as the model is of it among those that could stand at its
    place. In one pass it is `TextAgent`. Where actions need several rooms, it takes that of the one `TextAgent` chooses."""

    def act(self, histories: Sequence[TextHistory], generators: Sequence[np.random.Generator]) -> list[str]:
        """See `TextPlayer`.

        Raises:
            AnyOrderError: where it is not known what is admissible.
        """
        possible = [{self.room_of(action) for action in admissible_now(history)} for history in histories]
        several = [number for number, rooms in enumerate(possible) if len(rooms) > 1]
        scoring = TextAgent(self.model, self.codec, self.form, self.limit, self.temperature, self.tried_penalty)
        chosen = scoring.act([histories[number] for number in several], [generators[number] for number in several])
        for number, action in zip(several, chosen):
            possible[number] = {self.room_of(action)}
        return self.write(histories, [rooms.pop() for rooms in possible], generators)

    def propose(
        self, history: TextHistory, generator: np.random.Generator, answer: Tensor, tokens: Tensor, is_open: Tensor
    ) -> tuple[Tensor, Tensor]:
        """See `WritingAgent`."""
        room = len(tokens)
        actions = [action for action in admissible_now(history) if self.room_of(action) == room]
        written = self.tokens(actions, room)
        agree = ((written == tokens) | is_open).all(dim=1)
        candidates = written[agree][:, is_open]
        found = answer.gather(1, candidates.T)
        tried = history.times_tried([action for action, one in zip(actions, agree.tolist()) if one])
        best = self.drawn(found.double().sum(dim=0).numpy() - self.tried_penalty * tried, generator)
        values = candidates[best]
        possible = torch.full_like(answer, -torch.inf).scatter(1, candidates.T, found).logsumexp(dim=1)
        return values, (found[:, best] - possible).exp()
