"""An episode in a grid as the page shows it.

Legend: F frames, X columns and Y rows of the agent's view, K targets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from anyorder.acting.policy import History, ModelPolicy
from anyorder.acting.rebuilding import RebuildingPolicy
from anyorder.elements.batch import Batch
from anyorder.elements.grid import Attribute, Encoded, GridLayout, GridVocabulary, collate
from anyorder.envs.minigrid import NUM_ACTIONS, View
from anyorder.inference.answers import read_answer
from anyorder.inference.decoding import Decoded
from anyorder.masking.order import Order, Role
from anyorder.models.contract import GridModel
from anyorder.pages.world import World
from anyorder.playground.scene import all_shown, from_digits


@dataclass(frozen=True, eq=False)
class GridScene:
    """An episode, whole or so far.

    Attributes:
        model: that is asked about it.
        env_id, seed: where it was played.
        views: F of them.
        actions: F - 1.
        encoded: the same episode as values.
        outcome: ``success``, ``failure`` (it ended without a reward), ``truncated`` (the step limit) or ``running``.
        worlds: F of them, or none where the environment does not reproduce the recording.
        num_actions: how many actions the environment has; all of MiniGrid's where it is not known.
    """

    model: GridModel
    env_id: str
    seed: int
    views: Sequence[View]
    actions: Sequence[int]
    encoded: Encoded
    outcome: str
    worlds: Sequence[World]
    num_actions: int = NUM_ACTIONS

    @property
    def batch(self) -> Batch[GridLayout]:
        """Of this episode alone."""
        return Batch(*collate([self.encoded], *self.model.view))

    def to_json(self) -> dict[str, Any]:
        """See `anyorder.playground.scene.Scene`."""
        layout, (columns, rows) = self.batch.layout, self.model.view
        return {
            "env_id": self.env_id,
            "seed": self.seed,
            "mission": self.encoded.mission,
            "num_words": layout.grid.num_words,
            "columns": columns,
            "rows": rows,
            "frames": [{"cells": view.image.ravel().tolist(), "direction": view.direction} for view in self.views],
            "actions": list(self.actions),
            "outcome": self.outcome,
            "roles": all_shown(layout),
            "worlds": [world.frame() for world in self.worlds],
        }

    def told(self, order: Order, decoded: Decoded) -> dict[str, Any]:
        """``targets``, see `_targets`, and ``answer``, the same in words (`anyorder.inference.answers.Answer`)."""
        vocabulary, batch = self.model.vocabulary, self.batch
        answer = read_answer(vocabulary, batch, order, decoded)
        return {"targets": _targets(vocabulary, batch, order, decoded), "answer": answer.to_json()}

    def next_action(self, roles: str, rebuilds: bool) -> dict[str, Any]:
        """``probabilities`` of the 7 actions after the last view, 0 for those that the environment does not have."""
        policy = (RebuildingPolicy if rebuilds else ModelPolicy)(self.model)
        return {"probabilities": policy.logits([self._history(roles)])[0].softmax(dim=0).tolist()}

    def _history(self, roles: str) -> History:
        layout = self.batch.layout
        unknown = layout.grid.frames(from_digits(roles, layout) != Role.CONTEXT)[0].numpy()
        history = History(self.model.vocabulary, self.encoded.mission)
        history.num_actions = self.num_actions
        for view, action, hidden in zip(self.views, [*self.actions, None], unknown):
            history.observe(view, hidden[:-3].reshape(view.image.shape), unknown_direction=bool(hidden[-3]))
            if action is not None:
                history.act(action, unknown=bool(hidden[-1]))
        return history


MOST_VALUES = 6
"""How many values the page gets for each target: the most probable ones."""


def _targets(vocabulary: GridVocabulary, batch: Batch[GridLayout], order: Order, decoded: Decoded) -> list[dict[str, Any]]:
    """For each target: its element, the value chosen for it (a number of its attribute), that value's probability when it
    was chosen, and ``values``: the most probable ones with their probabilities, where one pass answered."""
    elements = order.targets[0].nonzero()[:, 0]
    starts = torch.tensor([vocabulary.offsets[attribute] for attribute in Attribute])[batch.layout.attribute[0, elements]]
    rows = zip(
        elements.tolist(),
        (decoded.values[0, elements] - starts).tolist(),
        decoded.probability[0, elements].tolist(),
        _most_probable(decoded.logits, starts),
        strict=True,
    )
    return [
        {"element": element, "value": value, "probability": round(probability, 4), "values": values}
        for element, value, probability, values in rows
    ]


def _most_probable(logits: Tensor | None, starts: Tensor) -> list[list[tuple[int, float]] | None]:
    """K times [(value, probability), ...], the most probable first."""
    if logits is None:
        return [None] * len(starts)
    shares, values = logits.float().softmax(dim=1).topk(MOST_VALUES, dim=1)
    pairs = zip((values - starts[:, None]).tolist(), shares.tolist())
    return [[(v, round(p, 4)) for v, p in zip(*pair) if p > 0] for pair in pairs]
