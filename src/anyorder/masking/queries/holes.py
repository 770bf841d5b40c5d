"""What is missing: a stretch of time, the future, cells that were not seen.

Legend: B trajectories, E elements, T actions of a trajectory (its observations have steps 0..T).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from anyorder.elements.layout import Kind, Layout
from anyorder.masking.order import Order, in_turn, reconstruct
from anyorder.masking.queries.parts import Step, last_step_of, part_of, parts, within
from anyorder.seeding import stream


@dataclass(frozen=True, eq=False)
class InfillQuery:
    """All observations and actions with start <= step < stop, asked from everything before and after at equal ranks.
    0 <= start < stop <= T + 1."""

    start: int
    stop: int

    def __call__(self, layout: Layout) -> Order:
        last = last_step_of(layout, Kind.OBSERVATION)
        start = within("start", self.start, 0, last)
        stop = within("stop", self.stop, start + 1, last + 1)
        step, action, observation = parts(layout)
        return reconstruct(layout, (action | observation) & (step >= start) & (step < stop))


@dataclass(frozen=True, eq=False)
class FutureQuery:
    """The ``horizon`` actions from ``step`` on and the observations that follow them, asked from the mission and the
    observations up to ``step`` and the actions before it, at equal ranks; what lies beyond the horizon is DROPPED.

    Attributes:
        step: 0 <= step < T.
        horizon: at least 1, step + horizon <= T; None: to the end of each trajectory (which reveals its length).
        autoregressive: True ranks the future in turn, as the strategy `NextStep`: each observation and action, of the
            past too, sees only what comes before it. Decode it with `anyorder.inference.decoding.AlongRanks`.
    """

    step: Step
    horizon: int | None = None
    autoregressive: bool = False

    def __call__(self, layout: Layout) -> Order:
        at = within("step", self.step, 0, last_step_of(layout, Kind.OBSERVATION) - 1)
        last = last_step_of(layout, Kind.OBSERVATION)
        end = last if self.horizon is None else at + within("horizon", self.horizon, 1, last - at)
        step, action, observation = parts(layout)
        asked = action & (step >= at) & (step < end) | observation & (step > at) & (step <= end)
        seen = observation & (step <= at) | action & (step < at)
        if self.autoregressive:
            return part_of(in_turn(reconstruct(layout, action | observation), layout), layout, asked, seen)
        return part_of(reconstruct(layout, asked), layout, asked, seen)


@dataclass(frozen=True, eq=False)
class HiddenCellsQuery:
    """The unknown elements of observations, for example what the agent did not see, asked from the rest at equal ranks.

    Attributes:
        hidden: bool ``[B, E]``; True where an element of an observation is unknown.
        until: None shows past and future; a step shows only the observations up to it and the actions before it, what a
            policy has at that time. 0 <= until <= T.
    """

    hidden: Tensor
    until: Step | None = None

    def __call__(self, layout: Layout) -> Order:
        if self.hidden.dtype != torch.bool or self.hidden.shape != layout.shape:
            found = f"{self.hidden.dtype} {list(self.hidden.shape)}"
            raise ValueError(f"hidden must be bool {list(layout.shape)}; found {found}")
        step, action, observation = parts(layout)
        if bool((self.hidden & layout.present & ~observation).any()):
            raise ValueError(
                "hidden must be True for elements of observations only; use RolesQuery or another query for others"
            )
        order = reconstruct(layout, self.hidden)
        if self.until is not None:
            now = within("until", self.until, 0, last_step_of(layout, Kind.OBSERVATION))
            seen = observation & (step <= now) | action & (step < now)
            order = part_of(order, layout, self.hidden & seen, seen)
        if not bool(order.targets.any()):
            raise ValueError("no cell is hidden, so nothing is asked; hide one, or raise the rate")
        return order


@dataclass(frozen=True, eq=False)
class RandomHiddenCellsQuery:
    """`HiddenCellsQuery` where each cell of each observation is unknown independently with probability ``rate``, drawn from
    ``stream(seed, "hidden cells")``.

    Attributes:
        rate: 0 < rate <= 1.
        seed: of the draw.
        until: as in `HiddenCellsQuery`.
    """

    rate: float
    seed: int = 0
    until: Step | None = None

    def __call__(self, layout: Layout) -> Order:
        if not 0 < self.rate <= 1:
            raise ValueError(f"rate must be above 0 and at most 1; found {self.rate}")
        drawn = torch.rand(layout.shape[0], layout.num_cells, generator=stream(self.seed, "hidden cells")) < self.rate
        hidden = drawn.to(layout.device).gather(1, layout.cell) & layout.of_kind(Kind.OBSERVATION)
        return HiddenCellsQuery(hidden, self.until)(layout)
