"""What was visible around each hidden element: the baselines copy it, or draw a line through it.

Legend: B trajectories, F frames, P elements of a frame, K targets.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from anyorder.elements.batch import Batch
from anyorder.elements.fields import FieldLayout
from anyorder.elements.spec import MOST_DEVIATIONS
from anyorder.masking.order import Order, sees_value


@dataclass(frozen=True, eq=False)
class FieldQuestions:
    """The targets of a pass in row-major order, each with what the same element of other frames shows. All are ``[K]``.

    Attributes:
        row: int64, of the pass.
        step: int64, the environment's time.
        field: int64, number of the field.
        truth: int64, the true value.
        number: float64, the true number in standard deviations from the mean.
        changed: bool, True where the value of the step before exists and is another one.
        copy: int64, the visible value that is nearest in time (of two, the earlier one); what has none holds 0.
        copy_number: float64, its number.
        copied: bool, True where there is one.
        line_number: float64, on the line through the visible numbers just before and just after it; where none follows,
            through the two before it; where there is only one, that one.
    """

    row: Tensor
    step: Tensor
    field: Tensor
    truth: Tensor
    number: Tensor
    changed: Tensor
    copy: Tensor
    copy_number: Tensor
    copied: Tensor
    line_number: Tensor

    @classmethod
    def of(cls, batch: Batch[FieldLayout], order: Order) -> FieldQuestions:
        """The questions of an order in whose frames ranks do not fall with the step and missions are no targets."""
        frames = batch.layout.frame_shape.frames
        values, numbers = frames(batch.values), frames(batch.layout.numbers).double()
        roles, ranks, asked = frames(order.roles), frames(order.ranks), frames(order.targets)
        before = visible_before(roles, ranks)
        after = values.shape[1] - 1 - visible_before(roles.flip(1), ranks.flip(1)).flip(1)
        after = after.where(after < values.shape[1], -1)
        earlier = before.gather(1, before.clamp(min=0)).where(before >= 0, -1)
        now = torch.arange(values.shape[1])[:, None].expand_as(before)
        later_is_nearer = (after >= 0) & ((before < 0) | (after - now < now - before))
        nearest = torch.where(later_is_nearer, after, before)
        return cls(
            row=asked.nonzero()[:, 0],
            step=frames(batch.layout.step)[asked],
            field=frames(batch.layout.attribute)[asked],
            truth=values[asked],
            number=numbers[asked],
            changed=_changed(values, frames(batch.layout.present))[asked],
            copy=_at(values, nearest)[asked],
            copy_number=_at(numbers, nearest)[asked],
            copied=(nearest >= 0)[asked],
            line_number=_line(numbers, now, before, after, earlier, nearest)[asked],
        )

    def __len__(self) -> int:
        return len(self.truth)

    def rows(self, index: Tensor) -> FieldQuestions:
        """The chosen questions; ``index`` is int64 ``[K']``."""
        return FieldQuestions(*(getattr(self, one.name)[index] for one in fields(self)))


def visible_before(roles: Tensor, ranks: Tensor) -> Tensor:
    """int64 ``[B, F, P]``: the latest earlier frame whose value of the same element each element may see; -1: none."""
    found = torch.full(roles.shape, -1)
    shown = sees_value(roles[:, :-1], ranks[:, :-1], ranks[:, 1:])
    number = torch.arange(shown.shape[1])[:, None]
    found[:, 1:] = torch.where(shown, number, -1).cummax(dim=1).values
    at = found.clamp(min=0)
    # What the next frame may see is not for those after it where ranks fall, as they do when time runs backwards.
    seen = sees_value(roles.gather(1, at), ranks.gather(1, at), ranks)
    return found.where((found >= 0) & seen, -1)


def _at(values: Tensor, frame: Tensor) -> Tensor:
    return values.gather(1, frame.clamp(min=0)).masked_fill(frame < 0, 0)


def _changed(values: Tensor, present: Tensor) -> Tensor:
    changed = torch.zeros_like(present)
    changed[:, 1:] = (values[:, 1:] != values[:, :-1]) & present[:, 1:] & present[:, :-1]
    return changed


def _line(numbers: Tensor, now: Tensor, before: Tensor, after: Tensor, earlier: Tensor, nearest: Tensor) -> Tensor:
    """float64 ``[B, F, P]``: see `FieldQuestions.line_number`."""
    start, end = (torch.where(after >= 0, before, earlier), torch.where(after >= 0, after, before))
    slope = (_at(numbers, end) - _at(numbers, start)) / (end - start).clamp(min=1)
    line = (_at(numbers, start) + slope * (now - start)).clamp(-MOST_DEVIATIONS, MOST_DEVIATIONS)
    return torch.where((start >= 0) & (end >= 0), line, _at(numbers, nearest))
