"""What strategies are made of: the protocol, the elements that may be asked for, draws that are repeated.

Legend: B trajectories, E elements, G groups, T actions of a trajectory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import torch
from torch import Tensor

from anyorder.elements.layout import Kind, Layout
from anyorder.errors import AnyOrderError
from anyorder.masking.order import Order, reconstruct
from anyorder.masking.schedules import Rate

MAX_REDRAWS = 10_000


class NothingToAsk(ValueError):
    """Some trajectories of a batch have no element that a strategy could ask for.

    Attributes:
        without: bool ``[B]``; True for these trajectories.
    """

    def __init__(
        self,
        without: Tensor,
        reason: str = "a trajectory has no element that this strategy could ask for; leave it out of the batch",
    ) -> None:
        super().__init__(reason)
        self.without = without


class Strategy(Protocol):
    """Draws one training order per trajectory of a batch; all randomness comes from ``generator`` (on the CPU).

    Raises:
        NothingToAsk: when called, for trajectories that have nothing it could ask for.
    """

    def __call__(self, layout: Layout, generator: torch.Generator) -> Order: ...


def episode(layout: Layout) -> Tensor:
    """bool ``[B, E]``; True for observations and actions."""
    return layout.of_kind(Kind.OBSERVATION) | layout.of_kind(Kind.ACTION)


def numbers_of(layout: Layout, name: str) -> tuple[int, ...]:
    """Numbers of the fields that a name means.

    Raises:
        ValueError: for a name that means none.
    """
    if not (found := layout.matching(name)):
        raise ValueError(f"a field must be one of {', '.join(layout.fields)}, or their group; found {name!r}")
    return found


def num_actions(layout: Layout) -> Tensor:
    """int64 ``[B]``: T of each trajectory, also where its actions were not recorded.

    Raises:
        ValueError: for a trajectory without an action and without an observation after the first.
    """
    # Action t comes before observation t + 1, and one of them may be absent.
    number = layout.step + layout.of_kind(Kind.ACTION)
    counted = episode(layout) & (number > 0)
    require_some(counted)
    return torch.where(counted, number, 0).amax(dim=1)


def last_step(layout: Layout) -> Tensor:
    """int64 ``[B]``: the step of each trajectory's last observation.

    Raises:
        ValueError: for a trajectory without an observation after the first: it has no outcome.
    """
    later = layout.of_kind(Kind.OBSERVATION) & (layout.step > 0)
    require_some(later)
    return torch.where(later, layout.step, 0).amax(dim=1)


def ask_for(layout: Layout, targets: Tensor) -> Order:
    """`reconstruct`, for targets that are not random.

    Args:
        layout: of the batch.
        targets: bool ``[B, E]``; True for what is asked. Padding and what is exempt are ignored.

    Raises:
        ValueError: for a trajectory without a target.
    """
    require_some(targets & layout.askable)
    return reconstruct(layout, targets)


def whole_groups(group: Tensor, num_groups: int, rate: Rate, generator: torch.Generator) -> Tensor:
    """bool ``[B, E]``: each group is True as a whole, independently, with the rate that its trajectory draws once.

    Args:
        group: int64 ``[B, E]``, numbered below ``num_groups``.
    """
    rates = rate.sample(len(group), generator)[:, None]
    return (torch.rand(len(group), num_groups, generator=generator) < rates).gather(1, group)


def uniform_below(limit: Tensor, generator: torch.Generator) -> Tensor:
    """int64 ``[B]``: uniform on 0..limit-1, one for each of ``limit``, int64 ``[B]``."""
    return (torch.rand(len(limit), generator=generator, dtype=torch.float64) * limit).long()


def random_places(eligible: Tensor, generator: torch.Generator) -> Tensor:
    """int64 ``[B, G]``: each row numbers its True entries 0, 1, ... in a uniformly random order, then the others."""
    keys = torch.rand(eligible.shape, generator=generator, dtype=torch.float64).masked_fill(~eligible, 2.0)
    return keys.argsort(dim=1).argsort(dim=1)


def until_some(layout: Layout, eligible: Tensor, draw: Callable[[Layout], Tensor]) -> Tensor:
    """bool ``[B, E]``: what ``draw`` hides, drawn again for the trajectories in which nothing eligible was hidden.

    Args:
        layout: of the batch.
        eligible: bool ``[B, E]``; True where an element may be hidden, unless it is exempt.
        draw: from the layout of some trajectories to bool ``[B', E]``, True where their elements are hidden.

    Raises:
        NothingToAsk: where nothing is eligible.
        AnyOrderError: where nothing was hidden in `MAX_REDRAWS` draws.
    """
    eligible = eligible & layout.askable
    require_some(eligible)
    hidden = draw(layout) & eligible
    for empty in redraws(lambda: hidden):
        hidden[empty] = draw(layout.rows(empty)) & eligible[empty]
    return hidden


def redraws(targets: Callable[[], Tensor]) -> Iterator[Tensor]:
    """Yield the rows, int64 ``[B']``, in which ``targets()``, bool ``[B, E]``, is nowhere True, until there are none.

    Raises:
        AnyOrderError: after `MAX_REDRAWS` draws.
    """
    for _ in range(MAX_REDRAWS):
        empty = (~targets().any(dim=1)).nonzero()[:, 0]
        if not len(empty):
            return
        yield empty
    raise AnyOrderError(f"a trajectory had nothing hidden in {MAX_REDRAWS} draws; the rate is too low for its length, raise it")


def require_some(eligible: Tensor) -> None:
    """Raise `NothingToAsk` for the rows of bool ``[B, E]`` in which nothing is True."""
    some = eligible.any(dim=1)
    if not bool(some.all()):
        raise NothingToAsk(~some)


def answerable(strategy: Strategy, layout: Layout) -> Tensor:
    """bool ``[B]``; True for the trajectories that have something the strategy could ask for."""
    able = torch.ones(layout.shape[0], dtype=torch.bool)
    while bool(able.any()):
        rows = able.nonzero()[:, 0]
        try:
            strategy(layout.rows(rows), torch.Generator())
            break
        except NothingToAsk as found:
            able[rows[found.without]] = False
    return able
