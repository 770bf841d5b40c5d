"""Several answers to the same question, ranked by how probable the model finds each as a whole.

Legend: N samples, E elements.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch

from anyorder.elements.batch import Batch
from anyorder.elements.layout import LayoutT
from anyorder.inference.chain_rule import Chain, ChainByRounds, ChainInOnePass, log_likelihood
from anyorder.inference.decoding import Decoded, Decoder, GroupByGroup
from anyorder.masking.order import Order
from anyorder.masking.rounds import rounds_of_ranks
from anyorder.models.contract import Model

AnswerT = TypeVar("AnswerT")


@dataclass(frozen=True, eq=False)
class RankedSample(Generic[AnswerT]):
    """One answer as a whole.

    Attributes:
        answer: in words.
        decoded: the same as values, one row.
        log_likelihood: nats, of all its values together; see `chain_of`.
        num_drawn: how many of the samples were this one.
    """

    answer: AnswerT
    decoded: Decoded
    log_likelihood: float
    num_drawn: int


def chain_of(order: Order, decoder: Decoder) -> Chain:
    """The chain that fits an order: along the ranks where its targets have several, otherwise by the groups that the decoder
    decides one after the other (units, if it decides none) in the order of time."""
    if bool((rounds_of_ranks(order) > 0).any()):
        return ChainInOnePass()
    return ChainByRounds(decoder.group if isinstance(decoder, GroupByGroup) else "unit", "time")


def ranked_samples(
    model: Model[LayoutT],
    batch: Batch[LayoutT],
    order: Order,
    decoder: Decoder,
    num_samples: int,
    generator: torch.Generator,
    read: Callable[[Decoded], AnswerT],
) -> list[RankedSample[AnswerT]]:
    """Different answers, the most probable first.

    Args:
        model: in evaluation mode.
        batch, order: of one trajectory.
        decoder: draws the samples, all in one batch.
        num_samples: N.
        generator: on the CPU.
        read: puts one row of what was decoded into words.
    """
    copies = torch.zeros(num_samples, dtype=torch.int64)
    many, orders = batch.rows(copies), order.rows(copies)
    decoded = decoder(model, many, orders, generator)
    _, which, counts = decoded.values.unique(dim=0, return_inverse=True, return_counts=True)
    first = torch.tensor([int((which == number).nonzero()[0]) for number in range(len(counts))])
    orders = orders.rows(first)
    different = Batch(decoded.values[first], many.layout.rows(first).without_details(orders.targets))
    likelihood = log_likelihood(model, different, orders, chain_of(order, decoder)).total
    samples = []
    for number in likelihood.argsort(descending=True).tolist():
        row = first[number : number + 1]
        one = Decoded(decoded.values[row], decoded.probability[row])
        samples.append(RankedSample(read(one), one, float(likelihood[number]), int(counts[number])))
    return samples
