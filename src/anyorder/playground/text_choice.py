"""What an agent does next in words: with the probabilities of what is admissible, or freely where nobody knows what is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from anyorder.acting.text_agent import TextAgent
from anyorder.acting.text_history import TextHistory
from anyorder.acting.text_writing import GeneratingAgent
from anyorder.elements.layout import Layout
from anyorder.elements.text.codec import TextCodec
from anyorder.elements.text.form import ChatForm
from anyorder.models.contract import Model


@dataclass(frozen=True, eq=False)
class TextChooser:
    """Chooses actions: the most probable ones, so nothing is random.

    Attributes:
        agent: chooses among what is admissible.
        writer: writes where that is not known.
    """

    agent: TextAgent
    writer: GeneratingAgent

    @classmethod
    def of(cls, model: Model[Layout], codec: TextCodec, form: ChatForm, limit: int) -> TextChooser:
        """Arguments as of `anyorder.acting.text_player.TextPlayer`."""
        return cls(TextAgent(model, codec, form, limit), GeneratingAgent(model, codec, form, limit))

    def start(self, mission: str) -> TextHistory:
        """The empty history of an episode."""
        return self.agent.start(mission)

    def told(self, history: TextHistory) -> dict[str, Any]:
        """``action``: what the agent does; ``candidates``: what is admissible, the most probable first, each with its
        probability and how often it was done after the same observation, which counts against it; none where that is not
        known, and the agent writes.

        Raises:
            TooLong: when the mission does not fit.
        """
        assert history.view is not None, "an episode begins with an observation"
        actions, unused = history.view.admissible, np.random.default_rng(0)
        if not actions:
            (written,) = self.writer.act([history], [unused])
            return {"action": written, "candidates": []}
        (scores,) = self.agent.log_probabilities([history])
        found = zip(actions, scores.exp().tolist(), history.times_tried(actions).tolist())
        candidates = sorted(map(list, found), key=lambda one: -one[1])
        return {"action": self.agent.choice(history, scores, unused), "candidates": candidates}
