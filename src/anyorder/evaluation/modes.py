"""What a model is asked about a batch, in one pass or in several.

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
from anyorder.elements.grid import GridLayout, grid_layout
from anyorder.elements.layout import Kind, Layout
from anyorder.masking.order import Order, Role
from anyorder.masking.strategies import Strategy

GridPass = tuple[Batch[GridLayout], Order, Tensor]
"""A part of a batch, an order for it, and int64 ``[B']``: the batch's row whose first frames (or all) each of its rows has."""


class Mode(Protocol):
    """Yields passes. No element is asked for in two of them."""

    def __call__(self, batch: Batch[GridLayout], generator: torch.Generator) -> Iterator[GridPass]: ...


@dataclass(frozen=True)
class WholeTrajectory:
    """All that a strategy asks for, in one pass.

    Attributes:
        strategy: draws all that is random.
    """

    strategy: Strategy

    def __call__(self, batch: Batch[GridLayout], generator: torch.Generator) -> Iterator[GridPass]:
        yield batch, self.strategy(batch.layout, generator), torch.arange(len(batch.values))


@dataclass(frozen=True)
class StepByStep:
    """What a strategy asks for, the targets of each step in a pass of their own, in which those of other steps are absent.

    Attributes:
        strategy: draws all that is random.
    """

    strategy: Strategy

    def __call__(self, batch: Batch[GridLayout], generator: torch.Generator) -> Iterator[GridPass]:
        for rows, order in step_by_step(batch.layout, self.strategy(batch.layout, generator)):
            yield batch.rows(rows), order, rows


def step_by_step(layout: Layout, order: Order) -> Iterator[tuple[Tensor, Order]]:
    """Rows, int64 ``[B']``, and an order for them: first with the targets of the first step alone that has any in each row,
    then with those of the second, and so on."""
    step, open_ = layout.step, order.targets
    while bool(open_.any()):
        rows = open_.any(dim=1).nonzero()[:, 0]
        first = torch.where(open_, step, torch.iinfo(step.dtype).max).amin(dim=1, keepdim=True)
        now = open_ & (step == first)
        yield rows, Order(order.roles.masked_fill(order.targets & ~now, Role.DROPPED), order.ranks).rows(rows)
        open_ = open_ & ~now


@dataclass(frozen=True)
class Filtering:
    """The hidden parts of observation t, asked at time t: from the mission and what is visible of the observations up
    to t and of the actions before t. What was hidden earlier stays hidden and is not asked again.

    Every time is a question of its own, since a frame of the past looks different in the light of what came after it: an
    episode of F frames costs F * (F + 1) / 2 of them. Questions of about equal length share a pass. An episode that costs
    more than ``most_frames`` is asked at as many of its times as that allows, each of them equally likely; so the scores
    of long episodes are samples, and long episodes count for no more than shorter ones.

    Equal generators hide what `WholeTrajectory` hides with the same strategy. Hidden actions are not asked for: action t is
    not known at time t, and even its mask symbol would tell that the episode goes on.

    Attributes:
        strategy: chooses what is hidden; all targets must have equal ranks, as with `Cell`.
        most_frames: how many frames one episode may cost; None: any number, and every time is asked.
    """

    strategy: Strategy
    most_frames: int | None = None

    def __call__(self, batch: Batch[GridLayout], generator: torch.Generator) -> Iterator[GridPass]:
        order, layout = self.strategy(batch.layout, generator), batch.layout
        asked = layout.grid.observations(order.targets & layout.of_kind(Kind.OBSERVATION)).any(dim=-1)
        if self.most_frames is not None:
            asked = affordable(asked, self.most_frames, generator)
        row, step = asked.nonzero(as_tuple=True)
        for chosen in passes((step + 1).tolist()):
            yield *_at_time(step[chosen], batch.rows(row[chosen]), order.rows(row[chosen])), row[chosen]


def affordable(asked: Tensor, most_frames: int, generator: torch.Generator) -> Tensor:
    """bool ``[B, F]``: of the times that are asked for, those that cost at most about ``most_frames`` frames in each row,
    evenly spread from a random start."""
    number, cost = asked.sum(dim=1), (asked * torch.arange(1, asked.shape[1] + 1)).sum(dim=1)
    share = (most_frames / cost).clamp(max=1).maximum(1 / number).double()[:, None]  # at least one time
    # Each time adds its share to a sum, and is chosen where it takes the sum past a whole number.
    after = asked.cumsum(dim=1) * share + torch.rand(len(asked), 1, generator=generator, dtype=torch.float64)
    return asked & (after.floor() > (after - share).floor())


def _at_time(steps: Tensor, batch: Batch[GridLayout], drawn: Order) -> tuple[Batch[GridLayout], Order]:
    """What is known at these times (int64 ``[B]``, one for each row), and the order that asks for what is hidden then:
    earlier targets are HIDDEN, and what comes later is absent."""
    shape = replace(batch.layout.grid, num_frames=int(steps.max()) + 1)
    num_words = batch.layout.of_kind(Kind.MISSION).sum(dim=1)
    layout = grid_layout(shape, steps + 1, steps, num_words, batch.layout.missions)
    values, roles, ranks = (tensor[:, : shape.num_elements] for tensor in (batch.values, drawn.roles, drawn.ranks))
    roles = roles.masked_fill((roles == Role.TARGET) & (layout.step != steps[:, None]), Role.HIDDEN)
    known = Batch(values.masked_fill(~layout.present, 0), layout)
    return known, Order(roles.masked_fill(~layout.present, Role.DROPPED), ranks)
