"""Strategies made of strategies.

Legend: B trajectories, E elements.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from anyorder.elements.layout import FieldName, Kind, Layout
from anyorder.masking.order import Order, Role
from anyorder.masking.schedules import Rate
from anyorder.masking.strategies.base import (
    NothingToAsk,
    Strategy,
    answerable,
    episode,
    numbers_of,
    redraws,
    require_some,
    uniform_below,
)


@dataclass(frozen=True)
class Mixture:
    """Each trajectory draws one of the ``strategies`` with probability proportional to ``weights``, then that
    strategy draws its order. A trajectory draws among those strategies that have something to ask of it."""

    strategies: Sequence[Strategy]
    weights: Sequence[float]

    def __post_init__(self) -> None:
        if len(self.strategies) != len(self.weights) or not self.weights:
            raise ValueError(
                f"{len(self.strategies)} strategies must have as many weights, at least one; found {len(self.weights)}"
            )
        if min(self.weights) < 0 or sum(self.weights) <= 0:
            raise ValueError(f"weights must not be negative and not all be zero; found {list(self.weights)}")

    def __call__(self, layout: Layout, generator: torch.Generator) -> Order:
        weights = torch.tensor(self.weights, dtype=torch.float)
        drawn = torch.multinomial(weights, layout.shape[0], replacement=True, generator=generator)
        try:
            return _draw_by_row(self.strategies, drawn, layout, generator)
        except NothingToAsk:
            able = torch.stack([answerable(strategy, layout) for strategy in self.strategies], dim=1)
            require_some(able & (weights > 0))
            again = torch.multinomial(able * weights, 1, generator=generator)
            drawn = torch.where(able.gather(1, drawn[:, None]), drawn[:, None], again)[:, 0]
            return _draw_by_row(self.strategies, drawn, layout, generator)


@dataclass(frozen=True)
class ByMission:
    """Each trajectory's mission decides which strategy draws its order.

    Attributes:
        cases: regular expression -> strategy; the first expression that matches anywhere in the mission decides.
        otherwise: the strategy for missions that no expression matches.
    """

    cases: Mapping[str, Strategy]
    otherwise: Strategy

    def __post_init__(self) -> None:
        for pattern in self.cases:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"each case must be a regular expression; found {pattern!r}: {error}") from None

    def __call__(self, layout: Layout, generator: torch.Generator) -> Order:
        chosen = torch.tensor([self._case(mission) for mission in layout.missions])
        return _draw_by_row([*self.cases.values(), self.otherwise], chosen, layout, generator)

    def _case(self, mission: str) -> int:
        """The number of the first case that matches; the number of cases if none does."""
        fitting = (number for number, pattern in enumerate(self.cases) if re.search(pattern, mission))
        return next(fitting, len(self.cases))


@dataclass(frozen=True)
class BySet:
    """Each trajectory's data set decides which strategy draws its order; trajectories of unknown origin belong to the first.

    Attributes:
        strategies: one for each data set, by its number (`Layout.sets`).
    """

    strategies: Sequence[Strategy]

    def __call__(self, layout: Layout, generator: torch.Generator) -> Order:
        chosen = torch.tensor(layout.sets if layout.sets is not None else [0] * layout.shape[0])
        return _draw_by_row(self.strategies, chosen, layout, generator)


@dataclass(frozen=True)
class WithoutMission:
    """The orders of ``strategy``; each trajectory's mission is DROPPED with probability ``rate``."""

    strategy: Strategy
    rate: Rate

    def __call__(self, layout: Layout, generator: torch.Generator) -> Order:
        order = self.strategy(layout, generator)
        num = layout.shape[0]
        dropped = torch.rand(num, generator=generator) < self.rate.sample(num, generator)
        mission = layout.of_kind(Kind.MISSION) & dropped[:, None]
        return Order(torch.where(mission, Role.DROPPED, order.roles), order.ranks)


@dataclass(frozen=True)
class Only:
    """The orders of ``strategy``, given that it asks for something within the restriction; targets outside of it become
    CONTEXT of their rank. None restricts nothing.

    Attributes:
        strategy: draws the order.
        kinds: of the elements that may be targets.
        attributes: fields, or groups of fields, of the elements that may be targets.
        steps: first and last step of the elements that may be targets.

    Raises:
        NothingToAsk: when called, for trajectories that have no element within the restriction.
        ValueError: when called, if the strategy never asks for anything within the restriction.
    """

    strategy: Strategy
    kinds: Sequence[Kind] | None = None
    attributes: Sequence[FieldName] | None = None
    steps: tuple[int, int] | None = None

    def __call__(self, layout: Layout, generator: torch.Generator) -> Order:
        within = self._within(layout)
        some = within.any(dim=1)
        if not bool(some.all()):
            reason = "a trajectory has no element of these kinds, attributes and steps; widen the restriction"
            raise NothingToAsk(~some, reason)
        drawn = self.strategy(layout, generator)
        roles, ranks = drawn.roles.clone(), drawn.ranks.clone()
        for empty in redraws(lambda: (roles == Role.TARGET) & within):
            again = self.strategy(layout.rows(empty), generator)
            roles[empty], ranks[empty] = again.roles, again.ranks
        roles[(roles == Role.TARGET) & ~within] = Role.CONTEXT
        return Order(roles, ranks)

    def _within(self, layout: Layout) -> Tensor:
        """bool ``[B, E]``; True where an element may be a target."""
        within = layout.present
        if self.kinds is not None:
            within = within & torch.isin(layout.kind, torch.tensor([int(kind) for kind in self.kinds]))
        if self.attributes is not None:
            numbers = [number for name in self.attributes for number in numbers_of(layout, name)]
            within = within & torch.isin(layout.attribute, torch.tensor(numbers))
        if self.steps is not None:
            within = within & (layout.step >= self.steps[0]) & (layout.step <= self.steps[1])
        return within


@dataclass(frozen=True)
class Window:
    """A window of ``length`` consecutive steps, uniform over the windows that hold something to ask for; the whole
    trajectory if that is shorter. ``strategy`` draws its order as if the window were the whole trajectory, numbering its steps
    from 0; the observations, actions and returns outside of it are DROPPED, the mission is not. Where ``strategy`` can ask for
    nothing in some of the windows, the window is uniform over the others.

    As a trajectory does, a window ends with an observation: the action and the return of its last step lie outside. So
    two steps are one transition. Returns-to-go remain those of the episode. How often a window is
    drawn does not depend on what ``strategy`` draws in it.

    Attributes:
        strategy: draws the order within the window, with at least one target.
        length: observations of a window, at least 1.
    """

    strategy: Strategy
    length: int

    def __post_init__(self) -> None:
        if self.length < 1:
            raise ValueError(f"a window must be at least 1 step long; found {self.length}")

    def __call__(self, layout: Layout, generator: torch.Generator) -> Order:
        possible = self._possible(layout)
        try:
            return self._within(layout, possible, generator)
        except NothingToAsk:
            starts = torch.arange(possible.shape[1])
            possible &= torch.stack([answerable(self.strategy, self._seen(layout, start)) for start in starts], dim=1)
            require_some(possible)
            return self._within(layout, possible, generator)

    def _within(self, layout: Layout, possible: Tensor, generator: torch.Generator) -> Order:
        """The order of ``strategy`` in a window that begins at one of the possible steps, bool ``[B, T]``."""
        number = uniform_below(possible.sum(dim=1), generator)[:, None]
        start = (possible.cumsum(dim=1) > number).int().argmax(dim=1)
        return self.strategy(self._seen(layout, start[:, None]), generator)

    def _seen(self, layout: Layout, start: Tensor) -> Layout:
        """The layout of the window that begins at ``start``, ``[]`` or ``[B, 1]``."""
        exists = layout.of_kind(Kind.MISSION) | self._inside(layout, start) & layout.present
        kind = torch.where(exists, layout.kind, int(Kind.PADDING))
        return replace(layout, kind=kind, step=(layout.step - start).clamp(min=-1))

    def _possible(self, layout: Layout) -> Tensor:
        """bool ``[B, T]``; True where a window can begin and holds something to ask for."""
        observed = layout.of_kind(Kind.OBSERVATION)
        num_steps = torch.where(observed, layout.step, 0).amax(dim=1) + 1
        num_starts = (num_steps - self.length).clamp(min=0) + 1
        starts = torch.arange(int(num_starts.max()))
        possible = starts < num_starts[:, None]
        if layout.exempt is not None:
            asks = episode(layout) & layout.askable
            possible &= torch.stack([(self._inside(layout, start) & asks).any(dim=1) for start in starts], dim=1)
            require_some(possible)
        return possible

    def _inside(self, layout: Layout, start: Tensor) -> Tensor:
        """bool ``[B, E]``; True in the window that begins at ``start``, ``[]`` or ``[B, 1]``."""
        last = start + self.length - 1
        is_observation = layout.of_kind(Kind.OBSERVATION)
        return (layout.step >= start) & torch.where(is_observation, layout.step <= last, layout.step < last)


@dataclass(frozen=True)
class AtOnce:
    """The roles of ``strategy``, all ranks 0: what it would ask one after another is asked at once, and each target
    sees all that is shown. With `GoalConditioned` or `Waypoint` without history this asks for a plan (the goals of
    MaskDP, Liu et al., 2022)."""

    strategy: Strategy

    def __call__(self, layout: Layout, generator: torch.Generator) -> Order:
        order = self.strategy(layout, generator)
        return Order(order.roles, torch.zeros_like(order.ranks))


def _draw_by_row(strategies: Sequence[Strategy], chosen: Tensor, layout: Layout, generator: torch.Generator) -> Order:
    """For each trajectory an order of the strategy that it has chosen; ``chosen`` is int64 ``[B]``, its number."""
    roles = torch.empty(layout.shape, dtype=torch.uint8)
    ranks = torch.empty(layout.shape, dtype=torch.int32)
    for number, strategy in enumerate(strategies):
        rows = (chosen == number).nonzero()[:, 0]
        if len(rows):
            try:
                order = strategy(layout.rows(rows), generator)
            except NothingToAsk as found:
                without = torch.zeros(layout.shape[0], dtype=torch.bool)
                without[rows[found.without]] = True
                raise NothingToAsk(without, str(found)) from None
            roles[rows], ranks[rows] = order.roles, order.ranks
    return Order(roles, ranks)
