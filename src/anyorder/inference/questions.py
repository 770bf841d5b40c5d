"""From names and numbers, as a user gives them, to a query and a decoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any

from anyorder.errors import AnyOrderError
from anyorder.inference.decoding import AlongRanks, ByConfidence, Decoder, SinglePass, UnitByUnit
from anyorder.masking.order import Order
from anyorder.masking.queries import QUERIES, Query
from anyorder.masking.rounds import rounds_of_ranks

QUERY_OPTIONS: dict[str, tuple[Any, str]] = {
    "step": (int, "of the action asked for, or of the last one known"),
    "goal_step": (int, "of the observation to reach"),
    "waypoints": (list[int], "steps of the observations to pass, e.g. [3,6]"),
    "start": (int, "first step of what is missing"),
    "stop": (int, "first step after what is missing"),
    "horizon": (int, "number of actions to look ahead; default: to the end"),
    "rate": (float, "share of the cells that are hidden"),
    "until": (int, "nothing after this observation is known; default: everything"),
    "mission": (bool, "true shows the mission to a query that leaves it out"),
    "autoregressive": (bool, "true asks each part of the future from what comes before it alone"),
}
"""What a query may be told, its type and its meaning. ``seed`` is given apart, as everything drawn has it."""

DECODERS: dict[str, str] = {
    "single": "one pass (the default)",
    "confidence": "the surest first",
    "unit": "one observation or action after the other",
    "ranks": "along the ranks of the query (the default if it has several)",
}
UNIT_ORDERS = ("time", "reverse", "random")


def options_of(query: str) -> dict[str, bool]:
    """The options of a query of `QUERIES`; True for those it cannot do without."""
    return {field.name: field.default is MISSING for field in fields(QUERIES[query]) if field.name in QUERY_OPTIONS}


def query_of(name: str, given: Mapping[str, Any], seed: int = 0, dashes: str = "") -> Query:
    """The query of that name.

    Args:
        name: a key of `QUERIES`.
        given: its options, by name.
        seed: of a query that draws.
        dashes: what stands before an option where the user writes it, for the messages.

    Raises:
        AnyOrderError: for a name that there is not, an option that the query has not, and one that it lacks.
    """
    if name not in QUERIES:
        raise AnyOrderError(f"{dashes}query is one of {', '.join(QUERIES)}; found {name}")
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
    """What a user says of a decoder.

    Attributes:
        name: a key of `DECODERS`; None: ``ranks`` for an order of several ranks, otherwise ``single``.
        num_passes: of ``confidence``.
        unit_order: of ``unit``: time, reverse or random.
        temperature, top_p: of what each chooses, see `anyorder.inference.decoding.SinglePass`.
    """

    name: str | None = None
    num_passes: int = 8
    unit_order: str = "time"
    temperature: float = 0.0
    top_p: float = 1.0


def decoder_of(choice: DecoderChoice, order: Order, dashes: str = "") -> Decoder:
    """The decoder that was chosen for an order.

    Raises:
        AnyOrderError: for a name that there is not, and one that cannot decode the order.
    """
    ranked = bool((rounds_of_ranks(order) > 0).any())
    name = choice.name or ("ranks" if ranked else "single")
    if name not in DECODERS:
        raise AnyOrderError(f"{dashes}decoder is one of {', '.join(DECODERS)}; found {name}")
    if ranked and name != "ranks":
        raise AnyOrderError(f"this query asks along several ranks; give {dashes}decoder ranks, found {name}")
    drawn = {"temperature": choice.temperature, "top_p": choice.top_p}
    decoders: dict[str, Decoder] = {
        "single": SinglePass(**drawn),
        "confidence": ByConfidence(choice.num_passes, **drawn),
        "unit": UnitByUnit(choice.unit_order, SinglePass(**drawn)),
        "ranks": AlongRanks(**drawn),
    }
    return decoders[name]
