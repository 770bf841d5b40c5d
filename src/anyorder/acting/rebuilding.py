"""Rebuilding before acting: the agent first decodes what is unknown to it from what it knows, then acts on the result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from anyorder.acting.policy import History, ModelPolicy, passes
from anyorder.elements.batch import Batch
from anyorder.elements.grid import collate
from anyorder.inference.decoding import Decoder, SinglePass
from anyorder.masking.order import reconstruct
from anyorder.models.contract import GridModel


class RebuildingPolicy(ModelPolicy):
    """Acts as `ModelPolicy` does, on histories whose unknown cells, directions and actions have been filled in.

    All of them are filled in anew at every step, from everything known up to that step, so later observations correct
    what was believed about the past (filtering of the present, smoothing of the past, nothing of the future).

    Args:
        model: one that was also trained to rebuild observations.
        temperature, seed, tried_penalty: as in `ModelPolicy`.
        decoder: chooses the unknown elements; by default the most probable value of each.
    """

    def __init__(
        self,
        model: GridModel,
        temperature: float = 0.0,
        seed: int = 0,
        tried_penalty: float = 0.0,
        decoder: Decoder = SinglePass(),
    ) -> None:
        super().__init__(model, temperature, seed, tried_penalty)
        self.decoder = decoder

    def all_logits(self, histories: Sequence[History]) -> Tensor:
        recent = [history.recent(self.model.max_frames) for history in histories]
        return super().all_logits(fill_in(self.model, recent, self.decoder))


@torch.no_grad()
def fill_in(
    model: GridModel,
    histories: Sequence[History],
    decoder: Decoder = SinglePass(),
    generator: torch.Generator | None = None,
) -> list[History]:
    """The histories with every unknown element decoded from the known ones; histories without any stay as they are.

    Args:
        model: a grid model, in evaluation mode.
        histories: of any lengths, each with its next action still open.
        decoder: one for targets of equal rank.
        generator: for a decoder that draws, on the CPU; None: seeded with 0.
    """
    generator = generator or torch.Generator().manual_seed(0)
    whole = list(histories)
    with_holes = [index for index, history in enumerate(histories) if history.unknown_elements().any()]
    for chosen in passes([len(histories[index]) for index in with_holes]):
        rows = [with_holes[number] for number in chosen]
        for row, frames in zip(rows, _decode(model, [histories[row] for row in rows], decoder, generator)):
            whole[row] = histories[row].rebuilt(frames[: len(histories[row])])
    return whole


def _decode(model: GridModel, histories: Sequence[History], decoder: Decoder, generator: torch.Generator) -> Tensor:
    """int64 ``[B, F, 3S + 3]``: all values, the unknown ones filled in."""
    # The open action has no value yet to rebuild from, so it is left out.
    encoded = [replace(one, num_actions=one.num_actions - 1) for one in (history.encoded() for history in histories)]
    batch = Batch(*collate(encoded, *model.view))
    shape = batch.layout.grid
    unknown = torch.zeros_like(batch.layout.present)
    for row, history in enumerate(histories):
        shape.frames(unknown)[row, : len(history)] = history.unknown_elements()
    return shape.frames(decoder(model, batch, reconstruct(batch.layout, unknown), generator).values)
