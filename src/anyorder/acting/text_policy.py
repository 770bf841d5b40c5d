"""Acting in words: the next turn of a conversation, chosen from what is admissible, or written freely."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from anyorder.elements.batch import Batch
from anyorder.elements.layout import Layout
from anyorder.elements.text.codec import TextCodec
from anyorder.elements.text.elements import collate_text, encode_text
from anyorder.elements.text.form import ChatForm
from anyorder.errors import AnyOrderError
from anyorder.inference.chain_rule import Chain, ChainInOnePass, log_likelihood
from anyorder.inference.decoding import ByConfidence, Decoder
from anyorder.masking.order import Order
from anyorder.masking.queries import NextActionQuery
from anyorder.models.contract import Model
from anyorder.types import TextTrajectory, Turn


@dataclass(frozen=True, eq=False)
class TextPolicy:
    """Chooses the next action in a conversation, with a model that was trained on conversations of the same form.

    Attributes:
        model: in evaluation mode; called as ``model(values, layout, order) -> logits [K, V]``.
        codec: of the model's tokenizer.
        form: of the conversations that it was trained on.
        limit: how many tokens a text may have; the oldest steps of a longer one are left out.
        role: the role that acts.
    """

    model: Model[Layout]
    codec: TextCodec
    form: ChatForm
    limit: int
    role: str = "assistant"

    def write(
        self, history: Sequence[Turn], decoder: Decoder = ByConfidence(num_passes=16), generator: torch.Generator | None = None
    ) -> str:
        """An action in free words, at most as long as the form's smallest room for actions (see `ChatForm`).

        Args:
            history: the mission, then observations and actions in turn, ending with an observation (or the mission).
            decoder: chooses the tokens.
            generator: for a decoder that draws, on the CPU; None: seeded with 0.

        Raises:
            AnyOrderError: when the mission and the last observation do not fit.
        """
        batch, order = self._question(history, [""])
        decoded = decoder(self.model, batch, order, generator or torch.Generator().manual_seed(0))
        return self.codec.decode(decoded.values[order.targets].tolist())

    def score(self, history: Sequence[Turn], actions: Sequence[str], chain: Chain = ChainInOnePass()) -> list[float]:
        """The log-probability of each action, in nats, including that of the end of the turn.

        Args:
            history: as of `write`.
            actions: one or more.
            chain: `ChainInOnePass` multiplies the probabilities that the tokens have while none of them is known, as in
                training; `ChainByRounds` scores them one after the other, each given those before it.

        Raises:
            AnyOrderError: for no action, or one that does not fit.
        """
        if not actions:
            raise AnyOrderError("there must be at least one action to score; found none")
        batch, order = self._question(history, actions)
        return log_likelihood(self.model, batch, order, chain).total.tolist()

    def choose(self, history: Sequence[Turn], actions: Sequence[str], chain: Chain = ChainInOnePass()) -> str:
        """The most probable of the admissible actions; arguments and errors as of `score`."""
        scores = self.score(history, actions, chain)
        return actions[max(range(len(actions)), key=scores.__getitem__)]

    def _question(self, history: Sequence[Turn], actions: Sequence[str]) -> tuple[Batch[Layout], Order]:
        """One conversation per action, each with the action at its end, and the order that asks for that action."""
        said = [TextTrajectory("history", (*history, Turn("action", self.role, action, asked=True))) for action in actions]
        encoded = [encode_text(trajectory, self.codec, self.form, self.limit) for trajectory in said]
        batch = collate_text(encoded, self.codec.pad_id)
        steps = torch.tensor([int(one.places["step"].max()) for one in encoded])
        return batch, NextActionQuery(steps)(batch.layout)
