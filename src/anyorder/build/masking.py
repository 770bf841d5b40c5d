"""From the masking part of a configuration to strategies."""

from __future__ import annotations

from collections.abc import Callable, Collection

from anyorder.config import MaskingConfig
from anyorder.errors import AnyOrderError
from anyorder.masking.expressions import strategy_from
from anyorder.masking.schedules import schedule_from
from anyorder.masking.strategies import Strategy

GRID_FIELDS = ("object", "color", "state", "direction", "action")
"""Fields of a grid that may be asked for."""


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
