"""From names and numbers, as a user gives them, to a query and a decoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any

from anyorder.errors import AnyOrderError
from anyorder.inference.decoding import AlongRanks, ByConfidence, Decoder, GroupByGroup, SinglePass
from anyorder.masking.order import Order
from anyorder.masking.queries import QUERIES, Query
from anyorder.masking.rounds import rounds_of_ranks

QUERY_OPTIONS: dict[str, tuple[Any, str]] = {
    "step": (int, "step of the action asked for, or of the last known action"),
    "goal_step": (int, "step of the observation to reach"),
    "waypoints": (list[int], "steps of the observations to pass, e.g. [3,6]"),
    "start": (int, "first step of what is missing"),
    "stop": (int, "first step after what is missing"),
    "horizon": (int, "number of actions to look ahead; default: to the end"),
    "rate": (float, "share of the cells that are hidden"),
    "until": (int, "step of the last known observation; default: all are known"),
    "mission": (bool, "true shows the mission to a query that leaves it out"),
    "autoregressive": (bool, "true asks each part of the future from what comes before it alone"),
}
"""Option of a query -> its type and its help text. ``seed`` is not among them: it is given to all that draws."""

DECODERS: dict[str, str] = {
    "single": "one pass (the default)",
    "confidence": "the surest first",
    "unit": "one observation or action after the other",
    "cell": "one cell after the other",
    "ranks": "along the ranks of the query (the default if it has several)",
}
UNIT_ORDERS = ("time", "reverse", "random")


def options_of(query: str) -> dict[str, bool]:
    """The options of a query of `QUERIES`; True for those that it requires."""
    return {field.name: field.default is MISSING for field in fields(QUERIES[query]) if field.name in QUERY_OPTIONS}


def query_of(name: str, given: Mapping[str, Any], seed: int = 0, dashes: str = "") -> Query:
    """The query of that name.

    Args:
        name: a key of `QUERIES`.
        given: its options, by name.
        seed: of a query that draws.
        dashes: what the user writes before an option (``--`` in a command), for the error messages.

    Raises:
        AnyOrderError: for an unknown name, an unknown option, and a required option that is missing.
    """
    if name not in QUERIES:
        raise AnyOrderError(f"{dashes}query must be one of {', '.join(QUERIES)}; found {name}")
    wanted = options_of(name)
    listed = ", ".join(dashes + option for option in wanted)
    for option in given:
        if option not in wanted:
            raise AnyOrderError(f"{name} has no option {dashes}{option}; it has {listed}")
    for option, needed in wanted.items():
        if needed and option not in given:
            raise AnyOrderError(f"{name} needs {dashes}{option}; its options are {listed}")
    drawn = {"seed": seed} if any(field.name == "seed" for field in fields(QUERIES[name])) else {}
    return QUERIES[name](**given, **drawn)


@dataclass(frozen=True)
class DecoderChoice:
    """The decoder that a user chose, and its settings.

    Attributes:
        name: a key of `DECODERS`; None: ``ranks`` for an order of several ranks, otherwise ``single``.
        num_passes: number of passes of ``confidence``.
        unit_order: order of the units of ``unit``, and of the cells of ``cell``: time, reverse or random.
        temperature, top_p: how values are drawn, see `anyorder.inference.decoding.SinglePass`.
    """

    name: str | None = None
    num_passes: int = 8
    unit_order: str = "time"
    temperature: float = 0.0
    top_p: float = 1.0


def decoder_of(choice: DecoderChoice, order: Order, dashes: str = "") -> Decoder:
    """The decoder that was chosen for an order.

    Raises:
        AnyOrderError: for an unknown name, and for a decoder that cannot decode the order.
    """
    ranked = bool((rounds_of_ranks(order) > 0).any())
    name = choice.name or ("ranks" if ranked else "single")
    if name not in DECODERS:
        raise AnyOrderError(f"{dashes}decoder must be one of {', '.join(DECODERS)}; found {name}")
    if ranked and name != "ranks":
        raise AnyOrderError(f"{dashes}decoder must be ranks, since the targets of this query have several; found {name}")
    drawn = {"temperature": choice.temperature, "top_p": choice.top_p}
    decoders: dict[str, Decoder] = {
        "single": SinglePass(**drawn),
        "confidence": ByConfidence(choice.num_passes, **drawn),
        "unit": GroupByGroup("unit", choice.unit_order, SinglePass(**drawn)),
        "cell": GroupByGroup("cell", choice.unit_order, SinglePass(**drawn)),
        "ranks": AlongRanks(**drawn),
    }
    return decoders[name]
