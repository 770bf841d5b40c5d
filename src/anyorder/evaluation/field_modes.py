"""What a model is asked about trajectories of any spec, in one pass or in several.

Legend: B trajectories, F frames, E elements.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from anyorder.acting.policy import passes
from anyorder.elements.batch import Batch
from anyorder.elements.fields import FieldLayout
from anyorder.elements.layout import Kind
from anyorder.evaluation.modes import affordable, step_by_step
from anyorder.evaluation.neighbours import FieldQuestions
from anyorder.masking.order import Order, Role
from anyorder.masking.queries import ForwardDynamicsQuery
from anyorder.masking.strategies import Strategy, answerable


@dataclass(frozen=True, eq=False)
class FieldPass:
    """What a model is asked in one pass.

    Attributes:
        batch: some rows of a batch, B' of them.
        order: what is asked.
        row: int64 ``[B']``, which row of the batch each of them comes from.
        known: an order with the same targets that shows what baselines may see, where that is more than the model can read;
            None: they see what the model sees.
    """

    batch: Batch[FieldLayout]
    order: Order
    row: Tensor
    known: Order | None = None

    def questions(self) -> FieldQuestions:
        """The targets, with what baselines may see of the same elements."""
        return FieldQuestions.of(self.batch, self.known or self.order)


class FieldMode(Protocol):
    """Yields passes. No element is asked for in two of them; rows that have nothing to ask for are left out."""

    def __call__(self, batch: Batch[FieldLayout], generator: torch.Generator) -> Iterator[FieldPass]: ...


@dataclass(frozen=True)
class WholeFields:
    """All that a strategy asks for, in one pass."""

    strategy: Strategy

    def __call__(self, batch: Batch[FieldLayout], generator: torch.Generator) -> Iterator[FieldPass]:
        able = answerable(self.strategy, batch.layout).nonzero()[:, 0]
        if len(able):
            batch = batch.rows(able)
            yield FieldPass(batch, self.strategy(batch.layout, generator), able)


@dataclass(frozen=True)
class FieldsStepByStep:
    """What a strategy asks for, the targets of each step in a pass of their own, in which those of other steps are absent."""

    strategy: Strategy

    def __call__(self, batch: Batch[FieldLayout], generator: torch.Generator) -> Iterator[FieldPass]:
        for whole in WholeFields(self.strategy)(batch, generator):
            for rows, order in step_by_step(whole.batch.layout, whole.order):
                yield FieldPass(whole.batch.rows(rows), order, whole.row[rows])


@dataclass(frozen=True)
class FieldForesight:
    """Every observation but the first, asked from the last ones before it and the actions after them, as many as the model
    reads. Baselines see all that came before, so that a line has two observations to go by.

    Attributes:
        max_frames: the most that the model reads, what is asked for included.
    """

    max_frames: int

    def __call__(self, batch: Batch[FieldLayout], generator: torch.Generator) -> Iterator[FieldPass]:
        observed = batch.layout.frame_shape.frames(batch.layout.of_kind(Kind.OBSERVATION)).any(dim=-1)
        for step in range(1, observed.shape[1]):
            rows = observed[:, step].nonzero()[:, 0]
            part = batch.rows(rows)
            known = ForwardDynamicsQuery(step - 1)(part.layout)
            old = (part.layout.step >= 0) & (part.layout.step <= step - self.max_frames)
            yield FieldPass(part, Order(known.roles.masked_fill(old, Role.DROPPED), known.ranks), rows, known)


@dataclass(frozen=True)
class FieldFiltering:
    """The hidden parts of observation t, asked at time t: from the mission and what is visible of the observations up to t and
    of the actions before t. `anyorder.evaluation.modes.Filtering` says more; this is the same for any spec.

    Equal generators hide what `WholeFields` hides with the same strategy.

    Attributes:
        strategy: chooses what is hidden; all targets must have equal ranks, as with `Cell`.
        most_frames: how many frames one trajectory may cost; None: any number, and every time is asked.
    """

    strategy: Strategy
    most_frames: int | None = None

    def __call__(self, batch: Batch[FieldLayout], generator: torch.Generator) -> Iterator[FieldPass]:
        for found in WholeFields(self.strategy)(batch, generator):
            whole, order = found.batch, found.order
            observed = order.targets & whole.layout.of_kind(Kind.OBSERVATION)
            asked = whole.layout.frame_shape.frames(observed).any(dim=-1)
            if self.most_frames is not None:
                asked = affordable(asked, self.most_frames, generator)
            row, step = asked.nonzero(as_tuple=True)
            for chosen in passes((step + 1).tolist()):
                at_time = _at_time(step[chosen], whole.rows(row[chosen]), order.rows(row[chosen]))
                yield FieldPass(*at_time, found.row[row[chosen]])


def _at_time(steps: Tensor, batch: Batch[FieldLayout], drawn: Order) -> tuple[Batch[FieldLayout], Order]:
    """What is known at these times (int64 ``[B]``, one for each row), and the order that asks for what is hidden then: earlier
    targets are HIDDEN; what comes later, and the action of the time itself, is absent."""
    layout = batch.layout.first_frames(int(steps.max()) + 1)
    first = slice(layout.frame_shape.num_elements)
    acted = layout.of_kind(Kind.ACTION) | layout.of_kind(Kind.RETURN)
    unknown = (layout.step > steps[:, None]) | (acted & (layout.step == steps[:, None])) | ~layout.present
    layout = replace(layout, kind=layout.kind.masked_fill(unknown, int(Kind.PADDING)))
    roles = drawn.roles[:, first].masked_fill(unknown, Role.DROPPED)
    roles = roles.masked_fill((roles == Role.TARGET) & (layout.step != steps[:, None]), Role.HIDDEN)
    return Batch(batch.values[:, first].masked_fill(unknown, 0), layout), Order(roles, drawn.ranks[:, first])
