"""What a model answers about a scene, as the page shows it.

Legend: K targets, E elements.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from anyorder.elements.batch import Batch
from anyorder.elements.grid import Attribute, GridLayout, GridVocabulary
from anyorder.elements.layout import Layout
from anyorder.errors import AnyOrderError
from anyorder.inference.answers import read_answer
from anyorder.inference.decoding import Decoded
from anyorder.inference.questions import DecoderChoice, decoder_of, query_of
from anyorder.masking.order import Order
from anyorder.masking.queries import Query, RolesQuery
from anyorder.models.contract import GridModel
from anyorder.playground.scene import Scene, digits, from_digits
from anyorder.playground.wire import AnswerRequest, AskQuery, AskRoles
from anyorder.seeding import stream

MOST_VALUES = 6
"""How many values the page gets for each target: the most probable ones."""


def reply(model: GridModel, scene: Scene, request: AnswerRequest) -> dict[str, Any]:
    """What the model answers to a request.

    Args:
        model: a grid model, in evaluation mode.
        scene: the episode that it is asked about.
        request: the question, how values are chosen, and the seed of what is drawn.

    Returns:
        Plain values: ``roles`` of the order that was asked, a digit per element; ``targets``, see `_targets`; and
        ``answer``, the same in words (`anyorder.inference.answers.Answer`).

    Raises:
        AnyOrderError: for a question that cannot be asked of this scene.
    """
    batch = scene.batch(model.view)
    try:
        order = _query(request.asked, batch.layout)(batch.layout)
        decoder = decoder_of(DecoderChoice(**request.decoder.model_dump()), order)
        decoded = decoder(model, batch, order, stream(request.seed, "playground"))
    except ValueError as error:
        raise AnyOrderError(str(error)) from None
    answer = read_answer(model.vocabulary, batch, order, decoded)
    targets = _targets(model.vocabulary, batch, order, decoded)
    return {"roles": digits(order.roles), "targets": targets, "answer": answer.to_json()}


def _query(asked: AskQuery | AskRoles, layout: Layout) -> Query:
    if isinstance(asked, AskQuery):
        return query_of(asked.name, asked.options.model_dump(exclude_none=True), asked.seed)
    return RolesQuery(from_digits(asked.roles, layout))


def _targets(vocabulary: GridVocabulary, batch: Batch[GridLayout], order: Order, decoded: Decoded) -> list[dict[str, Any]]:
    """For each target: its element, the value chosen for it (a number of its attribute), that value's probability when it
    was chosen, and ``values``: the most probable ones with their probabilities, where one pass answered."""
    elements = order.targets[0].nonzero()[:, 0]
    starts = torch.tensor([vocabulary.offsets[attribute] for attribute in Attribute])[batch.layout.attribute[0, elements]]
    rows = zip(
        elements.tolist(),
        (decoded.values[0, elements] - starts).tolist(),
        decoded.probability[0, elements].tolist(),
        _most_probable(decoded.logits, starts),
        strict=True,
    )
    return [
        {"element": element, "value": value, "probability": round(probability, 4), "values": values}
        for element, value, probability, values in rows
    ]


def _most_probable(logits: Tensor | None, starts: Tensor) -> list[list[tuple[int, float]] | None]:
    """K times [(value, probability), ...], the most probable first."""
    if logits is None:
        return [None] * len(starts)
    shares, values = logits.float().softmax(dim=1).topk(MOST_VALUES, dim=1)
    pairs = zip((values - starts[:, None]).tolist(), shares.tolist())
    return [[(v, round(p, 4)) for v, p in zip(*pair) if p > 0] for pair in pairs]
