"""What a language model is asked about conversations, in one pass or in several: turns are units, words are cells.

Legend: B trajectories, E tokens, S steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from anyorder.acting.policy import passes
from anyorder.acting.text_player import TOKENS_PER_PASS
from anyorder.elements.batch import Batch
from anyorder.elements.layout import Kind, Layout
from anyorder.evaluation.modes import affordable
from anyorder.masking.order import Order, Role
from anyorder.masking.schedules import Rate
from anyorder.masking.strategies import Cell, ForwardDynamics, NextAction, Strategy, Unit, answerable

STEPS_PER_PART = 64
"""What filtering may cost in each part of a conversation (see `TextFiltering`): all times of 10 steps, 4 of 30, on average."""


@dataclass(frozen=True, eq=False)
class TextPass:
    """What a model is asked in one pass.

    Attributes:
        batch: some rows of a batch, B' of them.
        order: what is asked.
        row: int64 ``[B']``, which row of the batch each of them comes from.
    """

    batch: Batch[Layout]
    order: Order
    row: Tensor


class TextMode(Protocol):
    """Yields passes. No token is asked for in two of them; rows that have nothing to ask for are left out."""

    def __call__(self, batch: Batch[Layout], generator: torch.Generator) -> Iterator[TextPass]: ...


@dataclass(frozen=True)
class WholeTexts:
    """All that a strategy asks for, in one pass."""

    strategy: Strategy

    def __call__(self, batch: Batch[Layout], generator: torch.Generator) -> Iterator[TextPass]:
        able = answerable(self.strategy, batch.layout).nonzero()[:, 0]
        if len(able):
            batch = batch.rows(able)
            yield TextPass(batch, self.strategy(batch.layout, generator), able)


@dataclass(frozen=True)
class TextFiltering:
    """The hidden words of observation t, asked at time t: from the mission, what is visible of the observations up to t, and of
    the actions before t. `anyorder.evaluation.modes.Filtering` says more; this is the same for conversations.

    Attributes:
        strategy: chooses what is hidden; all targets must have equal ranks, as with `Cell`.
        most_steps: how many steps one part of a conversation may cost, where asking at step t costs t + 1; of those that
            cost more, times are drawn.
    """

    strategy: Strategy
    most_steps: int = STEPS_PER_PART

    def __call__(self, batch: Batch[Layout], generator: torch.Generator) -> Iterator[TextPass]:
        for found in WholeTexts(self.strategy)(batch, generator):
            layout, order = found.batch.layout, found.order
            asked = affordable(
                _steps_with(order.targets & layout.of_kind(Kind.OBSERVATION), layout), self.most_steps, generator
            )
            row, step = asked.nonzero(as_tuple=True)
            known = _known_at(layout.rows(row), step)
            for chosen in passes((_last(known) + 1).tolist(), TOKENS_PER_PASS):
                yield _at_time(found, row[chosen], step[chosen], known[chosen])


def text_modes(rate: float) -> Mapping[str, TextMode]:
    """The ways of asking about conversations, by name: every action from its own past, then three of a world model that are
    never mixed (every observation from its own past; words that are hidden at random, with the past and the rest of their
    observation visible; such words with past and future visible), and whole turns, with past and future visible.

    Args:
        rate: share of the words, and of the turns, that are hidden.
    """
    words = Cell(Rate(rate, rate))
    return {
        "next action": WholeTexts(NextAction()),
        "forward": WholeTexts(ForwardDynamics()),
        "filtering": TextFiltering(words),
        "smoothing": WholeTexts(words),
        "infilling": WholeTexts(hidden_turns(rate)),
    }


def hidden_turns(rate: float) -> Unit:
    """The strategy that hides this share of the turns as wholes."""
    return Unit(Rate(rate, rate))


def _steps_with(chosen: Tensor, layout: Layout) -> Tensor:
    """bool ``[B, S]``: the steps of which something is ``chosen``, bool ``[B, E]``."""
    steps = torch.zeros(len(chosen), int(layout.step.max()) + 1, dtype=torch.bool)
    return steps.scatter_reduce(1, layout.step.clamp(min=0), chosen, reduce="amax")


def _known_at(layout: Layout, steps: Tensor) -> Tensor:
    """bool ``[B, E]``: what exists at these times, int64 ``[B]``, before the agent acts."""
    now = layout.step - layout.of_kind(Kind.OBSERVATION).long() < steps[:, None]
    return layout.present & now


def _last(known: Tensor) -> Tensor:
    """int64 ``[B]``: the last place of each row that is True."""
    return torch.where(known, torch.arange(known.shape[1]), 0).amax(dim=1)


def _at_time(whole: TextPass, rows: Tensor, steps: Tensor, known: Tensor) -> TextPass:
    """The question at these times, int64 ``[B']``: earlier targets are HIDDEN, and what comes later is absent."""
    width = int(_last(known).max()) + 1
    layout = whole.batch.layout.rows(rows)
    places = {name: getattr(layout, name)[:, :width] for name in ("kind", "attribute", "step", "cell", "unit")}
    exempt = None if layout.exempt is None else layout.exempt[:, :width]
    layout = replace(layout, **places, exempt=exempt)
    roles = whole.order.roles[rows, :width].masked_fill(~known[:, :width], Role.DROPPED)
    roles = roles.masked_fill((roles == Role.TARGET) & (layout.step != steps[:, None]), Role.HIDDEN)
    batch = Batch(whole.batch.values[rows, :width], layout)
    return TextPass(batch, Order(roles, whole.order.ranks[rows, :width]), whole.row[rows])
