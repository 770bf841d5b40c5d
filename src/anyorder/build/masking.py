"""From the masking part of a configuration to strategies."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from anyorder.config import MaskingConfig, RunConfig
from anyorder.errors import AnyOrderError
from anyorder.masking.expressions import strategy_from
from anyorder.masking.schedules import schedule_from
from anyorder.masking.strategies import Strategy

GRID_FIELDS = ("object", "color", "state", "direction", "action")
"""Fields of a grid that may be asked for."""
_ASKS_FOR_MISSIONS = "mission_words"


def strategy_schedule(masking: MaskingConfig, known: Collection[str] = GRID_FIELDS) -> Callable[[float], Strategy]:
    """A function from the progress of training (0..1) to the strategy at that moment.

    Args:
        masking: the settings.
        known: names of the fields, and of their groups, that the settings may name.

    Raises:
        AnyOrderError: for a wrong setting; the message names the key, what it allows and what was found.
    """
    _check_defaults(masking, known)
    try:
        defaults = {"rate": masking.mask_prob, "rates": masking.attribute_probs}
        return strategy_from({"mixture": masking.mixture}, defaults, "masking", known)
    except ValueError as error:
        raise AnyOrderError(str(error)) from None


def asks_for_missions(config: RunConfig) -> bool:
    """True where a run of the grid model learns to say the words of missions: from any of its data sets, which may have
    maskings of their own."""
    maskings = [config.masking, *(one.masking for one in config.data.sets or ())]
    return _names([asdict(one) for one in maskings if one is not None], _ASKS_FOR_MISSIONS)


def _names(settings: Any, strategy: str) -> bool:
    """True where a strategy stands somewhere in settings: as a value, or as the key of its own settings."""
    if isinstance(settings, Mapping):
        return any(key == strategy or _names(value, strategy) for key, value in settings.items())
    if isinstance(settings, Sequence) and not isinstance(settings, str):
        return any(_names(one, strategy) for one in settings)
    return settings == strategy


def _check_defaults(masking: MaskingConfig, known: Collection[str]) -> None:
    """Check the default rates on their own, so that an error names the setting and not a strategy that uses it."""
    rates = {"masking.mask_prob": masking.mask_prob}
    for name, spec in masking.attribute_probs.items():
        if name not in known:
            raise AnyOrderError(f"masking.attribute_probs must name {', '.join(known)} only; found {name}")
        rates[f"masking.attribute_probs.{name}"] = spec
    for key, spec in rates.items():
        try:
            schedule_from(spec)
        except ValueError as error:
            raise AnyOrderError(f"{key}: {error}") from None
