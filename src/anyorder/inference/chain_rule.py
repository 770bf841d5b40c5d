"""Exact log-likelihoods by the chain rule: the probability of a set of values is the product of the probabilities of the
single values, each given those before it. A model that were a joint distribution would give the same sum along every
order; the spread over orders says how far it is from one.

Values answered in the same pass, at the same rank, are independent given what they see. All sums are nats, float64.

Legend: B trajectories, E elements, K targets, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from anyorder.elements.batch import Batch
from anyorder.elements.layout import LayoutT
from anyorder.inference.decoding import ask, require_one_rank
from anyorder.masking.order import Order, reconstruct
from anyorder.masking.rounds import in_round, rounds
from anyorder.models.contract import Model
from anyorder.seeding import stream


@dataclass(frozen=True, eq=False)
class LogLikelihood:
    """Nats, float64, on the CPU.

    Attributes:
        per_element: ``[B, E]``, log-probability of each target's value given what came before; 0 for everything else.
    """

    per_element: Tensor

    @property
    def total(self) -> Tensor:
        """float64 ``[B]``: sum over all targets of a trajectory; 0 without any."""
        return self.per_element.sum(dim=1)


class Chain(Protocol):
    """A way to apply the chain rule to the targets of an order. It scores the batch's values of these targets."""

    def __call__(self, model: Model[LayoutT], batch: Batch[LayoutT], order: Order) -> LogLikelihood: ...


@dataclass(frozen=True)
class ChainInOnePass:
    """Along the ranks, in one forward pass: each target is scored given the true values of the targets of lower rank. This
    is the full chain rule where no two targets of a trajectory have the same rank."""

    def __call__(self, model: Model[LayoutT], batch: Batch[LayoutT], order: Order) -> LogLikelihood:
        order, values = order.to("cpu"), batch.values.cpu()
        log_probabilities = ask(model, batch, order).double().log_softmax(dim=-1)
        found = log_probabilities.gather(1, values[order.targets][:, None])[:, 0]
        nothing = torch.zeros(values.shape, dtype=torch.float64)
        return LogLikelihood(nothing.masked_scatter(order.targets, found))


@dataclass(frozen=True)
class ChainByRounds:
    """One group of targets after the other: groups before are CONTEXT, groups still to come are HIDDEN. For orders whose
    targets have one rank.

    Attributes:
        group: what is scored at once: an ``element``, a ``cell`` or a ``unit``.
        sequence: of the groups: ``time``, ``reverse``, ``random`` or numbers; see `anyorder.masking.rounds.rounds`.
        seed: of random sequences.
    """

    group: str = "element"
    sequence: str | Sequence[int] | Tensor = "time"
    seed: int = 0

    def __call__(self, model: Model[LayoutT], batch: Batch[LayoutT], order: Order) -> LogLikelihood:
        generator = stream(self.seed, "chain")
        turn = rounds(batch.layout.to("cpu"), order.targets.cpu(), self.group, self.sequence, generator)
        return likelihood_by_rounds(model, batch, order, turn)


def log_likelihood(
    model: Model[LayoutT], batch: Batch[LayoutT], order: Order, chain: Chain = ChainInOnePass()
) -> LogLikelihood:
    """How probable the model finds the batch's values of the targets, given what the order shows.

    Args:
        model: any, in evaluation mode.
        batch: whose values are scored.
        order: what is asked.
        chain: `ChainInOnePass` along ranks, or `ChainByRounds`.
    """
    return chain(model, batch, order)


def likelihood_by_rounds(model: Model[LayoutT], batch: Batch[LayoutT], order: Order, turn: Tensor) -> LogLikelihood:
    """The log-likelihood by the chain rule, one round after the other.

    Args:
        model, batch, order: as in `log_likelihood`; the targets of each trajectory have one rank.
        turn: int64 ``[B, E]``, the round of each target; see `anyorder.masking.rounds.rounds`.
    """
    require_one_rank(order)
    batch, order = Batch(batch.values.cpu(), batch.layout.to("cpu")), order.to("cpu")
    terms = torch.zeros(turn.shape, dtype=torch.float64)
    for number in range(int(turn.max()) + 1):
        rows = (turn == number).any(dim=1).nonzero()[:, 0]
        terms[rows] += ChainInOnePass()(model, batch.rows(rows), in_round(order, turn, number).rows(rows)).per_element
    return LogLikelihood(terms)


@dataclass(frozen=True, eq=False)
class Spread:
    """The log-likelihood of the same values along several orders, nats.

    Attributes:
        totals: float64 ``[N, B]``, one row per order.
    """

    totals: Tensor

    @property
    def mean(self) -> Tensor:
        """float64 ``[B]``."""
        return self.totals.mean(dim=0)

    @property
    def std(self) -> Tensor:
        """float64 ``[B]``: standard deviation over the orders drawn (divided by their number)."""
        return self.totals.std(dim=0, correction=0)

    @property
    def min(self) -> Tensor:
        """float64 ``[B]``."""
        return self.totals.amin(dim=0)

    @property
    def max(self) -> Tensor:
        """float64 ``[B]``."""
        return self.totals.amax(dim=0)


def spread_over_orders(
    model: Model[LayoutT],
    batch: Batch[LayoutT],
    elements: Tensor,
    num_orders: int,
    generator: torch.Generator,
    group: str = "element",
) -> Spread:
    """The log-likelihood of ``elements`` given all the rest, along uniformly random permutations of their groups, with
    permutations of its own for each trajectory.

    Args:
        model: any, in evaluation mode.
        batch: whose values are scored.
        elements: bool ``[B, E]``; True for the elements to score.
        num_orders: how many permutations, at least 1.
        generator: of the permutations, on the CPU.
        group: what is scored at once: an ``element``, a ``cell`` or a ``unit``.

    Raises:
        ValueError: where num_orders is below 1.
    """
    if num_orders < 1:
        raise ValueError(f"num_orders must be at least 1; found {num_orders}")
    batch = Batch(batch.values.cpu(), batch.layout.to("cpu"))
    order = reconstruct(batch.layout, elements.cpu())
    turns = [rounds(batch.layout, order.targets, group, "random", generator) for _ in range(num_orders)]
    return Spread(torch.stack([likelihood_by_rounds(model, batch, order, turn).total for turn in turns]))
