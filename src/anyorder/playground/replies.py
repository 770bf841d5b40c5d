"""What a model answers about a scene, as the page shows it."""

from __future__ import annotations

from typing import Any

from anyorder.elements.layout import Layout
from anyorder.errors import AnyOrderError
from anyorder.inference.questions import DecoderChoice, decoder_of, query_of
from anyorder.masking.queries import Query, RolesQuery
from anyorder.playground.scene import Scene, digits, from_digits
from anyorder.playground.wire import AnswerRequest, AskQuery, AskRoles
from anyorder.seeding import stream


def reply(scene: Scene, request: AnswerRequest) -> dict[str, Any]:
    """What the model answers to a request.

    Args:
        scene: the episode that it is asked about.
        request: the question, how values are chosen, and the seed of what is drawn.

    Returns:
        Plain values: ``roles`` of the order that was asked, a digit per element, and what `Scene.told` says.

    Raises:
        AnyOrderError: for a question that cannot be asked of this scene.
    """
    batch = scene.batch
    try:
        order = _query(request.asked, batch.layout)(batch.layout)
        scene.model.check_order(batch.layout, order)
        if not bool(order.targets.any()):
            raise ValueError("a question must ask for something that the model learned to say; found nothing; ask another")
        decoder = decoder_of(DecoderChoice(**request.decoder.model_dump()), order)
        decoded = decoder(scene.model, batch, order, stream(request.seed, "playground"))
    except ValueError as error:
        raise AnyOrderError(str(error)) from None
    return {"roles": digits(order.roles), **scene.told(order, decoded)}


def _query(asked: AskQuery | AskRoles, layout: Layout) -> Query:
    if isinstance(asked, AskQuery):
        return query_of(asked.name, asked.options.model_dump(exclude_none=True), asked.seed)
    return RolesQuery(from_digits(asked.roles, layout))
