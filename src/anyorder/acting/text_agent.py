"""Acting in text environments by scoring what is admissible: one pass over the history answers for all actions at once.

The tokens of an action are asked together, each without the others, as in training. So the probability of every action of the
same room follows from the logits of one pass, whatever their number.

Legend: N episodes in progress, R tokens of an action's room, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from anyorder.acting.policy import TRIED_PENALTY, passes
from anyorder.acting.text_history import TextHistory
from anyorder.elements.layout import Layout
from anyorder.elements.text.codec import TextCodec
from anyorder.elements.text.elements import EncodedText, collate_text
from anyorder.elements.text.form import ChatForm
from anyorder.errors import AnyOrderError
from anyorder.inference.decoding import ask
from anyorder.masking.queries import NextActionQuery
from anyorder.models.contract import Model

TOKENS_PER_PASS = 8192
"""Tokens in one pass when many episodes are played at once."""


@dataclass(frozen=True, eq=False)
class TextAgent:
    """Chooses among admissible actions, with a model that was trained on conversations of the same form.

    Attributes:
        model: in evaluation mode; called as ``model(values, layout, order) -> logits [K, V]``.
        codec: of the model's tokenizer.
        form: of the conversations that it was trained on.
        limit: how many tokens a question may have; the oldest steps of a longer one are left out.
        temperature: 1 draws actions from the model's distribution over the admissible ones, 0 takes the most probable one.
        tried_penalty: nats that an action loses for every time that it was done, in the same episode, after the same
            observation, as far as the agent knows it; this leads out of loops.
    """

    model: Model[Layout]
    codec: TextCodec
    form: ChatForm
    limit: int
    temperature: float = 0.0
    tried_penalty: float = TRIED_PENALTY

    def start(self, mission: str) -> TextHistory:
        """The empty history of an episode."""
        return TextHistory(self.codec, self.form, self.limit, mission)

    def act(self, histories: Sequence[TextHistory], generators: Sequence[np.random.Generator]) -> list[str]:
        """The next action of each episode.

        Args:
            histories: N of them.
            generators: of the draws, one for each episode, so that no episode depends on another.

        Raises:
            AnyOrderError: where it is not known what is admissible.
        """
        found = self.log_probabilities(histories)
        return [self._choice(*one) for one in zip(histories, found, generators)]

    def log_probabilities(self, histories: Sequence[TextHistory]) -> list[Tensor]:
        """For each history, the log-probability of each admissible action, float32 ``[number of actions]``, in nats; the
        admissible actions together have probability 1.

        Raises:
            AnyOrderError: where it is not known what is admissible.
        """
        rooms = [[history.room_of(action) for action in admissible_now(history)] for history in histories]
        asked = [(number, room) for number, of_one in enumerate(rooms) for room in sorted(set(of_one))]
        answers = dict(zip(asked, self._answers([histories[number].question(room) for number, room in asked])))
        found = []
        for number, history in enumerate(histories):
            scores = torch.empty(len(rooms[number]))
            for room in set(rooms[number]):
                places = [place for place, found_room in enumerate(rooms[number]) if found_room == room]
                tokens = torch.stack([self._tokens(admissible_now(history)[place], room) for place in places], dim=1)
                scores[places] = answers[number, room].gather(1, tokens).sum(dim=0)
            found.append(scores.log_softmax(dim=0))
        return found

    @torch.no_grad()
    def _answers(self, questions: Sequence[EncodedText]) -> list[Tensor]:
        """For each question, the log-probabilities of its action's tokens, float32 ``[R, V]`` on the CPU."""
        found: dict[int, Tensor] = {}
        for chosen in passes([len(question) for question in questions], TOKENS_PER_PASS):
            batch = collate_text([questions[number] for number in chosen], self.codec.pad_id)
            steps = torch.tensor([int(questions[number].places["step"].max()) for number in chosen])
            order = NextActionQuery(steps)(batch.layout)
            answers = ask(self.model, batch, order).float().log_softmax(dim=-1).cpu()
            found |= dict(zip(chosen, answers.split(order.targets.sum(dim=1).tolist())))
        return [found[number] for number in range(len(questions))]

    @lru_cache(maxsize=100_000)  # noqa: B019  (an agent lives as long as its evaluation)
    def _tokens(self, action: str, room: int) -> Tensor:
        """int64 ``[R]``: the tokens of an action in its room."""
        ids = self.codec.encode(action).ids
        return torch.tensor([*ids, *[self.codec.end_id] * (room - len(ids))])

    def _choice(self, history: TextHistory, log_probabilities: Tensor, generator: np.random.Generator) -> str:
        actions, counts = admissible_now(history), history.tried
        tried = np.array([counts[action] for action in actions])
        scores = log_probabilities.double().numpy() - self.tried_penalty * tried
        if not self.temperature:
            return actions[int(scores.argmax())]
        shares = np.exp((scores - scores.max()) / self.temperature)
        return actions[int(generator.choice(len(actions), p=shares / shares.sum()))]


def admissible_now(history: TextHistory) -> tuple[str, ...]:
    """What can be done after the last observation.

    Raises:
        AnyOrderError: where that is not known.
    """
    if history.view is None or not history.view.admissible:
        raise AnyOrderError(
            'an agent that scores actions needs info["admissible"], which this environment does not give here; add it in a'
            " wrapper"
        )
    return history.view.admissible
