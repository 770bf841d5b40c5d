"""What the page offers: queries with their options, decoders, and what the episodes are made of."""

from __future__ import annotations

from typing import Any

from anyorder.acting.rollout import FIRST_SEED
from anyorder.inference.questions import DECODERS, QUERY_OPTIONS, UNIT_ORDERS, options_of
from anyorder.masking.queries import QUERIES
from anyorder.playground.scene import Scenes
from anyorder.playground.wire import HIGHEST_SEED

ASKS = {
    "next_action": "What does the agent do next?",
    "forward_dynamics": "What does it see after its action?",
    "inverse_dynamics": "What was done between two views?",
    "backward_dynamics": "What did it see before?",
    "goal_conditioned": "What to do to see a later view?",
    "waypoints": "What to do to pass several later views?",
    "infill": "What happened in a gap?",
    "future": "What happens from here on?",
    "hidden_cells": "What is in random hidden cells?",
}
"""The queries in plain words."""
OPTION_KINDS = {int: "integer", float: "number", bool: "yes_no", list[int]: "integers"}


def about(checkpoint: str, split: str, scenes: Scenes) -> dict[str, Any]:
    """Plain values for the page. Scenes whose model cannot answer every query name those that it can, ``asks``."""
    told = scenes.about()
    asks = told.pop("asks", {name: ASKS.get(name, name) for name in QUERIES})
    return {
        "checkpoint": checkpoint,
        "split": split,
        "first_seed": FIRST_SEED,
        "highest_seed": HIGHEST_SEED,
        "queries": [{"name": name, "asks": words, "options": _options(name)} for name, words in asks.items()],
        "decoders": [{"name": name, "help": text} for name, text in DECODERS.items()],
        "unit_orders": UNIT_ORDERS,
        **told,
    }


def _options(query: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "kind": OPTION_KINDS[QUERY_OPTIONS[name][0]], "help": QUERY_OPTIONS[name][1], "needed": needed}
        for name, needed in options_of(query).items()
    ]
