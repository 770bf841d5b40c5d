"""By which evidence a checkpoint tells missions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from anyorder.inference.missions import Evidence, OfActions, OfBoth, OfWords

ASKS_FOR_WORDS = "mission_words"
"""The strategy in which a model learns missions as targets."""
TEACH_ACTING = ("next_action", "next_step", "permutation", "blocks", "random_autoregressive")
"""Strategies in which it learns what is done under a mission, from the past alone."""


def mission_evidence(header: Mapping[str, Any], told: Iterable[str]) -> Evidence:
    """`OfWords` for a checkpoint that was trained to say the words of missions, `OfActions` for others; `OfBoth` for one that
    was trained to act, too.

    Args:
        header: of a checkpoint of the grid model.
        told: the missions that it was told in training, with all repetitions.
    """
    config, told = header.get("config", {}), list(told)
    sets = config.get("data", {}).get("sets") or []
    maskings = [config.get("masking"), *(one.get("masking") for one in sets)]  # a data set may have a masking of its own
    if not _names(maskings, ASKS_FOR_WORDS):
        return OfActions.after(told)
    words, acts = OfWords.after(told), any(_names(maskings, name) for name in TEACH_ACTING)
    return OfBoth(words, OfActions.after(told)) if acts else words


def _names(settings: Any, strategy: str) -> bool:
    """True where a strategy stands somewhere in settings: as a value, or as the key of its own settings."""
    if isinstance(settings, Mapping):
        return any(key == strategy or _names(value, strategy) for key, value in settings.items())
    if isinstance(settings, Sequence) and not isinstance(settings, str):
        return any(_names(one, strategy) for one in settings)
    return settings == strategy
