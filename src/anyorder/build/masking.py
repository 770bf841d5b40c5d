"""From the masking settings of a run to its strategy at every moment of training."""

from __future__ import annotations

from collections.abc import Callable

from anyorder.config import MaskingConfig
from anyorder.errors import AnyOrderError
from anyorder.masking.expressions import strategy_from
from anyorder.masking.schedules import schedule_from
from anyorder.masking.strategies import Strategy
from anyorder.masking.strategies.groups import OF_FRAMES

MASKED_ATTRIBUTES = [attribute.name.lower() for attribute in OF_FRAMES]


def strategy_schedule(masking: MaskingConfig) -> Callable[[float], Strategy]:
    """A function from the progress of training (0..1) to the strategy at that moment.

    Raises:
        AnyOrderError: for a wrong setting; the message names the key, what it allows and what was found.
    """
    _check_defaults(masking)
    try:
        defaults = {"rate": masking.mask_prob, "rates": masking.attribute_probs}
        return strategy_from({"mixture": masking.mixture}, defaults, key="masking")
    except ValueError as error:
        raise AnyOrderError(str(error)) from None


def _check_defaults(masking: MaskingConfig) -> None:
    """Check the default rates on their own, so that an error names the setting and not a strategy that uses it."""
    rates = {"masking.mask_prob": masking.mask_prob}
    for name, spec in masking.attribute_probs.items():
        if name not in MASKED_ATTRIBUTES:
            raise AnyOrderError(f"masking.attribute_probs must name {', '.join(MASKED_ATTRIBUTES)} only; found {name}")
        rates[f"masking.attribute_probs.{name}"] = spec
    for key, spec in rates.items():
        try:
            schedule_from(spec)
        except ValueError as error:
            raise AnyOrderError(f"{key}: {error}") from None
