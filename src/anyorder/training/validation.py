"""Scores of a split, under orders that are the same at every validation: to watch training and choose the best weights."""

from __future__ import annotations

import operator
from collections import Counter
from functools import reduce

import torch
from torch import Tensor
from torch.nn import functional

from anyorder.elements.batch import Budget, EncodedData
from anyorder.elements.fields import FieldLayout
from anyorder.elements.layout import Kind, LayoutT
from anyorder.inference.bin_answers import density_offsets
from anyorder.masking.strategies import Strategy
from anyorder.models.contract import Model
from anyorder.seeding import stream
from anyorder.training.loss import LossSums, Weighting


def quality(scores: dict[str, float]) -> float:
    """The number that decides which checkpoint is the best: the mean of the accuracies. The loss would choose one too early:
    the loss of actions rises with overconfidence while their accuracy still improves."""
    accuracies = [value for name, value in scores.items() if name.endswith("accuracy")]
    return sum(accuracies) / len(accuracies)


@torch.no_grad()
def validate(
    model: Model[LayoutT],
    data: EncodedData[LayoutT],
    strategy: Strategy,
    weighting: Weighting,
    budget: Budget,
    seed: int,
) -> dict[str, float]:
    """Loss (nats) and accuracies over the targets only: ``loss``, ``action_accuracy``, ``observation_accuracy``,
    ``return_accuracy``, ``mission_accuracy`` (of words), and where there are objects ``object_accuracy`` (`Weighting.objects`).
    An accuracy without targets is left out. For data of any environment ``observation_nats`` (of numbers, see
    `anyorder.inference.bin_answers.density_nats`) says what the accuracy of bins does not. Orders depend on the seed alone. The
    model is in training mode afterwards."""
    device = next(model.parameters()).device
    model.eval()
    sums: list[LossSums] = []
    right: Counter[str] = Counter()
    nats = 0.0
    count: Counter[str] = Counter()
    for number, index in enumerate(data.in_order(budget)):
        batch = data.batch(index)
        order = strategy(batch.layout, stream(seed, "validation", number)).to(device)
        batch = batch.to(device)
        logits = model(batch.values, batch.layout, order)
        objects = torch.zeros_like(order.targets)
        if weighting.objects is not None:
            objects = weighting.objects(batch.values, batch.layout)
        sums.append(weighting.sums(logits, batch.values, batch.layout, order))
        correct = logits.argmax(dim=-1) == batch.values[order.targets]
        kind = batch.layout.kind[order.targets]
        if isinstance(batch.layout, FieldLayout):
            nats += _observation_nats(batch.values, batch.layout, order.targets, logits)
        for name, chosen in (
            ("action_accuracy", kind == Kind.ACTION),
            ("observation_accuracy", kind == Kind.OBSERVATION),
            ("return_accuracy", kind == Kind.RETURN),
            ("mission_accuracy", kind == Kind.MISSION),
            ("object_accuracy", objects[order.targets]),
        ):
            right[name] += int((correct & chosen).sum())
            count[name] += int(chosen.sum())
    model.train()
    loss = reduce(operator.add, sums).mean()
    scores = {"loss": float(loss), **{name: right[name] / count[name] for name in right if count[name]}}
    if nats:
        scores["observation_nats"] = nats / count["observation_accuracy"]
    return scores


def _observation_nats(values: Tensor, layout: FieldLayout, targets: Tensor, logits: Tensor) -> float:
    """The sum over targets among the observations."""
    observed = layout.kind[targets] == Kind.OBSERVATION
    nll = functional.cross_entropy(logits[observed], values[targets][observed], reduction="none").double()
    offsets = density_offsets(layout.spec).to(logits.device)[layout.attribute[targets][observed]]
    return float((nll + offsets).sum())
