"""What all agents in words share: a model that is asked for the next action of several episodes, a few passes at a time.

Legend: N episodes in progress, R tokens of an action's room, V vocabulary.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from anyorder.acting.policy import TRIED_PENALTY, passes
from anyorder.acting.text_history import PartlyRead, TextHistory
from anyorder.elements.batch import Batch
from anyorder.elements.layout import Layout
from anyorder.elements.text.codec import TextCodec
from anyorder.elements.text.elements import EncodedText, collate_text
from anyorder.elements.text.form import ChatForm
from anyorder.errors import AnyOrderError
from anyorder.inference.decoding import ask
from anyorder.masking.order import Order
from anyorder.masking.queries import NextActionQuery
from anyorder.models.contract import Model

TOKENS_PER_PASS = 2048
"""Tokens in one pass when many episodes are played at once, padding included; on a CPU larger passes are slower."""


@dataclass(frozen=True, eq=False)
class TextPlayer(ABC):
    """Acts in text environments, with a model that was trained on conversations of the same form.

    Attributes:
        model: in evaluation mode; called as ``model(values, layout, order) -> logits [K, V]``.
        codec: of the model's tokenizer.
        form: of the conversations that it was trained on.
        limit: how many tokens a question may have; the oldest steps of a longer one are left out.
        temperature: 1 draws actions from the model's distribution, 0 takes the most probable one.
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

    @abstractmethod
    def act(self, histories: Sequence[TextHistory], generators: Sequence[np.random.Generator]) -> list[str]:
        """The next action of each episode; what the model reads for it is added to `TextHistory.tokens_read`.

        Args:
            histories: N of them.
            generators: of the draws, one for each episode, so that no episode depends on another.

        Raises:
            AnyOrderError: for a history that the agent cannot answer.
        """

    def asked(self, questions: Sequence[EncodedText]) -> Iterator[tuple[list[int], Batch[Layout], Order]]:
        """The questions as batches within `TOKENS_PER_PASS`, those of about the same length together: their numbers, the batch,
        and the order that asks for the action at the end of each."""
        for chosen in passes([len(question) for question in questions], TOKENS_PER_PASS):
            batch = collate_text([questions[number] for number in chosen], self.codec.pad_id)
            steps = torch.tensor([int(questions[number].places["step"].max()) for number in chosen])
            yield chosen, batch, _as_read(NextActionQuery(steps)(batch.layout), [questions[number] for number in chosen])

    def read(self, histories: Sequence[TextHistory], batch: Batch[Layout], order: Order) -> list[Tensor]:
        """One pass: the log-probabilities of each history's open tokens, float32 ``[up to R, V]`` on the CPU."""
        for history, number in zip(histories, batch.layout.present.sum(dim=1).tolist(), strict=True):
            history.tokens_read += number
        answers = ask(self.model, batch, order).float().log_softmax(dim=-1)
        return list(answers.split(order.targets.sum(dim=1).tolist()))

    def room_of(self, action: str) -> int:
        """R: how many tokens the room of an action has."""
        return self.form.room("action", len(self._ids(action)))

    def tokens(self, actions: Sequence[str], room: int) -> Tensor:
        """int64 ``[number of actions, R]``: the tokens of actions that have this room."""
        ends = (self.codec.end_id,) * room
        return torch.tensor([(*ids, *ends[len(ids) :]) for ids in map(self._ids, actions)])

    @lru_cache(maxsize=100_000)  # noqa: B019  (an agent lives as long as its evaluation)
    def _ids(self, action: str) -> tuple[int, ...]:
        return self.codec.encode(action).ids

    def drawn(self, scores: np.ndarray, generator: np.random.Generator) -> int:
        """The place of one of the ``scores`` (float64, log-probabilities up to a constant), at the agent's temperature."""
        if not self.temperature:
            return int(scores.argmax())
        shares = np.exp((scores - scores.max()) / self.temperature)
        return int(generator.choice(len(scores), p=shares / shares.sum()))


def _as_read(order: Order, questions: Sequence[EncodedText]) -> Order:
    """The order, where agents do not see all of their past."""
    roles = order.roles.clone()
    for row, question in zip(roles, questions, strict=True):
        if isinstance(question, PartlyRead):
            row[: len(question.roles)] = question.roles
    return replace(order, roles=roles)


def admissible_now(history: TextHistory) -> tuple[str, ...]:
    """What can be done after the last observation.

    Raises:
        AnyOrderError: where that is not known.
    """
    if history.view is None or not history.view.admissible:
        raise AnyOrderError(
            'an agent that chooses among actions needs info["admissible"], which this environment does not give here; add it in'
            " a wrapper, or let the agent write freely with --acting generating"
        )
    return history.view.admissible
