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
    """The next action of a model that was trained on conversations, in the form it was trained in.

    Attributes:
        model: in evaluation mode; called as ``model(values, layout, order) -> logits [K, V]``.
        codec: of its tokenizer.
        form: of its conversations.
        limit: longest text in tokens; of a longer one the oldest steps are left out.
        role: who acts.
    """

    model: Model[Layout]
    codec: TextCodec
    form: ChatForm
    limit: int
    role: str = "assistant"

    def write(
        self, history: Sequence[Turn], decoder: Decoder = ByConfidence(num_passes=16), generator: torch.Generator | None = None
    ) -> str:
        """An action in free words, at most as long as the form's smallest room for actions.

        Args:
            history: the mission, then observations and actions in turn, ending with an observation (or the mission).
            decoder: chooses the tokens.
            generator: of a decoder that draws, on the CPU.

        Raises:
            AnyOrderError: when the mission and the last observation do not fit.
        """
        batch, order = self._asked(history, [""])
        decoded = decoder(self.model, batch, order, generator or torch.Generator().manual_seed(0))
        return self.codec.decode(decoded.values[order.targets].tolist())

    def score(self, history: Sequence[Turn], actions: Sequence[str], chain: Chain = ChainInOnePass()) -> list[float]:
        """The log-probability of each action, in nats, the end of the turn included.

        Args:
            history: as of `write`.
            actions: one or more.
            chain: `ChainInOnePass` multiplies what the model says of each token when none is known, which is what it was
                trained to say; `PassByPass` writes them one after the other.

        Raises:
            AnyOrderError: for no action, or one that does not fit.
        """
        if not actions:
            raise AnyOrderError("at least one action is scored, found none")
        batch, order = self._asked(history, actions)
        return log_likelihood(self.model, batch, order, chain).total.tolist()

    def choose(self, history: Sequence[Turn], actions: Sequence[str], chain: Chain = ChainInOnePass()) -> str:
        """The most probable of the admissible actions."""
        scores = self.score(history, actions, chain)
        return actions[max(range(len(actions)), key=scores.__getitem__)]

    def _asked(self, history: Sequence[Turn], actions: Sequence[str]) -> tuple[Batch[Layout], Order]:
        said = [TextTrajectory("history", (*history, Turn("action", self.role, action, asked=True))) for action in actions]
        encoded = [encode_text(trajectory, self.codec, self.form, self.limit) for trajectory in said]
        batch = collate_text(encoded, self.codec.pad_id)
        steps = torch.tensor([int(one.places["step"].max()) for one in encoded])
        return batch, NextActionQuery(steps)(batch.layout)
