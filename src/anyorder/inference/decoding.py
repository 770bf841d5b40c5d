"""From logits to values: what a model answers to a query, in one pass or in several that build on each other.

No decoder reads the true value of a target: what a later pass sees in its place is what was decided before.

Legend: B trajectories, E elements, K targets, V vocabulary.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor

from anyorder.elements.batch import Batch
from anyorder.elements.grid import GridLayout, GridVocabulary
from anyorder.elements.layout import LayoutT
from anyorder.inference.cells import AskedCells
from anyorder.masking.order import Order, Role
from anyorder.masking.rounds import in_round, rounds, rounds_of_ranks
from anyorder.models.contract import Model

_ASKING = threading.Lock()
"""A model that wraps another one changes it while it answers (hooks, a head of fewer rows), so threads ask in turn."""


@dataclass(frozen=True, eq=False)
class Decoded:
    """A model's answer, on the CPU.

    Attributes:
        values: int64 ``[B, E]``, the chosen value of each target; the batch's own value of everything else.
        probability: float32 ``[B, E]``, the model's probability of each chosen value when it was chosen, at temperature 1;
            1 for everything else.
        logits: ``[K, V]``, of the targets in row-major order; None where there were several passes.
    """

    values: Tensor
    probability: Tensor
    logits: Tensor | None = None


Draw = Callable[[Tensor], tuple[Tensor, Tensor]]
"""From logits ``[K, V]`` to one value per row, int64 ``[K]``, and its probability, float32 ``[K]``; see `choose`."""


class Decoder(Protocol):
    """Chooses a value for each target of an order. All randomness comes from ``generator`` (on the CPU)."""

    def __call__(self, model: Model[LayoutT], batch: Batch[LayoutT], order: Order, generator: torch.Generator) -> Decoded: ...


@dataclass(frozen=True)
class SinglePass:
    """All targets at once, each independently of the others, from one forward pass.

    Attributes:
        temperature: 0 takes the most probable value; above 0, values are drawn from the softmax of logits / temperature.
        top_p: values are drawn only from the most probable ones, as few as reach this probability together (nucleus
            sampling, Holtzman et al., 2020).
    """

    temperature: float = 0.0
    top_p: float = 1.0

    def __call__(self, model: Model[LayoutT], batch: Batch[LayoutT], order: Order, generator: torch.Generator) -> Decoded:
        require_one_rank(order)
        logits, targets = ask(model, batch, order), order.targets.cpu()
        draw = partial(choose, temperature=self.temperature, top_p=self.top_p, generator=generator)
        chosen, probability = decide(model, batch, targets, order.roles.cpu() == Role.CONTEXT, logits, draw)
        return _fill(batch, targets, chosen, probability, logits)


@dataclass(frozen=True)
class ByConfidence:
    """The masked-diffusion way: after each pass the values that the model is most sure of become CONTEXT, and the model
    is asked for the rest again (MaskGIT, Chang et al., 2022; low-confidence remasking of LLaDA, Nie et al., 2025).

    After pass i of n a trajectory with m targets has ceil(m * i / n) of them decided; confidence is the model's
    probability of the value that was chosen.

    Attributes:
        num_passes: at least 1; with 1 it is `SinglePass`.
        temperature, top_p: as in `SinglePass`.
    """

    num_passes: int = 8
    temperature: float = 0.0
    top_p: float = 1.0

    def __call__(self, model: Model[LayoutT], batch: Batch[LayoutT], order: Order, generator: torch.Generator) -> Decoded:
        if self.num_passes < 1:
            raise ValueError(f"num_passes must be at least 1; found {self.num_passes}")
        require_one_rank(order)
        if self.num_passes == 1:
            return SinglePass(self.temperature, self.top_p)(model, *_without_answers(batch, order), generator)
        draw = partial(choose, temperature=self.temperature, top_p=self.top_p, generator=generator)

        def guess(now: Batch[LayoutT], asked: Order, rows: Tensor) -> tuple[Tensor, Tensor]:
            return decide(model, now, asked.targets, asked.roles == Role.CONTEXT, ask(model, now, asked), draw)

        return decode_in_rounds(batch, order, self.num_passes, guess)


@dataclass(frozen=True)
class GroupByGroup:
    """One unit (a whole observation or action), cell or element after the other: groups already decided are CONTEXT, those
    still to come are HIDDEN.

    Attributes:
        group: what is decided at once: a ``unit``, a ``cell`` or an ``element``.
        sequence: of the groups: ``time``, ``reverse``, ``random`` or numbers; see `anyorder.masking.rounds.rounds`.
        decoder: chooses the values of one group.
    """

    group: str = "unit"
    sequence: str | Sequence[int] | Tensor = "time"
    decoder: Decoder = field(default_factory=SinglePass)

    def __call__(self, model: Model[LayoutT], batch: Batch[LayoutT], order: Order, generator: torch.Generator) -> Decoded:
        require_one_rank(order)
        batch, order = _without_answers(batch, order)
        turn = rounds(batch.layout, order.targets, self.group, self.sequence, generator)
        values, probability = batch.values.clone(), torch.ones(order.roles.shape)
        for number in range(int(turn.max()) + 1):
            rows = (turn == number).any(dim=1).nonzero()[:, 0]
            now = in_round(order, turn, number).rows(rows)
            answer = self.decoder(model, replace(batch, values=values).rows(rows), now, generator)
            values[rows], probability[rows] = answer.values, probability[rows] * answer.probability
        return Decoded(values, probability)


@dataclass(frozen=True)
class AlongRanks:
    """Rank by rank: each value is chosen from what its rank may see, where the targets of lower ranks have the values
    that were chosen for them. Each pass is a pass of the training order, so the joint distribution is the trained one.
    Targets of equal rank are chosen independently of each other.

    Attributes:
        temperature, top_p: as in `SinglePass`.
    """

    temperature: float = 0.0
    top_p: float = 1.0

    def __call__(self, model: Model[LayoutT], batch: Batch[LayoutT], order: Order, generator: torch.Generator) -> Decoded:
        batch, order = _without_answers(batch, order)
        turn = rounds_of_ranks(order)
        values, probability = batch.values.clone(), torch.ones(order.roles.shape)
        for number in range(int(turn.max()) + 1):
            rows = (turn == number).any(dim=1).nonzero()[:, 0]
            part = order.rows(rows)
            # Nothing sees targets of higher ranks in this pass.
            later = part.targets & (turn[rows] > number)
            now = Order(part.roles.masked_fill(later, Role.HIDDEN), part.ranks)
            logits = ask(model, replace(batch, values=values).rows(rows), now)
            asked = turn[rows] == number
            known = (part.roles == Role.CONTEXT) | (part.targets & (turn[rows] < number))
            draw = partial(choose, temperature=self.temperature, top_p=self.top_p, generator=generator)
            here = replace(batch, values=values).rows(rows)
            chosen, sure = decide(model, here, asked, known, logits[asked[now.targets]], draw)
            values[turn == number], probability[turn == number] = chosen, sure
        return Decoded(values, probability)


Guess = Callable[[Batch[LayoutT], Order, Tensor], tuple[Tensor, Tensor]]
"""From trajectories, the order that asks for what is still open in them, and their numbers in the whole batch, int64 ``[B']``,
to a value for each target, int64 ``[K]``, and how sure it is, float32 ``[K]``."""


def decode_in_rounds(
    batch: Batch[LayoutT], order: Order, num_passes: int, guess: Guess[LayoutT], threshold: float = 1.0
) -> Decoded:
    """In each pass all open targets are guessed; the surest become CONTEXT, the rest is guessed again.

    Args:
        batch: the trajectories.
        order: its targets have equal ranks.
        num_passes: after pass i of n a trajectory with m targets has at least ceil(m * i / n) of them decided.
        guess: called in each pass, for the trajectories that have open targets.
        threshold: guesses that are surer than this are all kept.
    """
    batch, order = _without_answers(batch, order)
    values, probability, roles = batch.values.clone(), torch.ones(order.roles.shape), order.roles.clone()
    num_targets = order.targets.sum(dim=1, keepdim=True)
    for number in range(1, num_passes + 1):
        rows = Order(roles, order.ranks).targets.any(dim=1).nonzero()[:, 0]
        if not len(rows):
            break
        now, asked = replace(batch, values=values).rows(rows), Order(roles, order.ranks).rows(rows)
        found = _fill(now, asked.targets, *guess(now, asked, rows))
        quota = (num_targets[rows] * number + num_passes - 1) // num_passes
        decided = _most_confident(found.probability, asked.targets, quota - num_targets[rows] + asked.targets.sum(1, True))
        decided |= asked.targets & (found.probability > threshold)
        values[rows] = torch.where(decided, found.values, now.values)
        probability[rows] = torch.where(decided, found.probability, probability[rows])
        roles[rows] = asked.roles.masked_fill(decided, Role.CONTEXT)
    return Decoded(values, probability)


def require_one_rank(order: Order) -> None:
    """Raise a ValueError if the targets of a trajectory have several ranks: the later ones would read the true values
    of the earlier ones."""
    if bool((rounds_of_ranks(order) > 0).any()):
        raise ValueError(
            "the targets of a trajectory must have one rank, since later ones would see the true values of earlier ones;"
            " found several ranks; decode with AlongRanks, or give them equal ranks"
        )


@torch.no_grad()
def ask(model: Model[LayoutT], batch: Batch[LayoutT], order: Order) -> Tensor:
    """Logits ``[K, V]`` of the targets, on the CPU; the model runs on the device of its parameters. Threads may call this."""
    parameter = next(model.parameters(), None)
    device = "cpu" if parameter is None else parameter.device
    there = batch.to(device)
    with _ASKING:
        return model(there.values, there.layout, order.to(device)).cpu()


def decide(
    model: Model[LayoutT], batch: Batch[LayoutT], asked: Tensor, shown: Tensor, logits: Tensor, draw: Draw
) -> tuple[Tensor, Tensor]:
    """One value per target. Where the model knows what a grid square can hold, its attributes are chosen together (see
    `anyorder.inference.cells`); everything else is chosen apart.

    Args:
        model: that gave the logits.
        batch: what it was asked about.
        asked: bool ``[B, E]`` on the CPU, True for the targets.
        shown: bool ``[B, E]`` on the CPU, True where the batch's value is visible.
        logits: ``[K, V]``, of the targets in row-major order.
        draw: chooses one of the values of each row of logits.

    Returns:
        int64 ``[K]``, the values, and float32 ``[K]``, the probability of each when it was chosen; those of the attributes of
        a square are chances given the ones before, so that their product is that of the square.
    """
    vocabulary = getattr(model, "vocabulary", None)
    if not isinstance(batch.layout, GridLayout) or not isinstance(vocabulary, GridVocabulary) or not vocabulary.contents:
        return draw(logits)
    cells = AskedCells.of(vocabulary, Batch(batch.values.cpu(), batch.layout.to("cpu")), asked, shown, logits)
    alone = torch.ones(len(logits), dtype=torch.bool)
    alone[cells.index[cells.index >= 0]] = False
    chosen, sure = torch.zeros(len(logits), dtype=torch.int64), torch.ones(len(logits))
    chosen[alone], sure[alone] = draw(logits[alone])
    content, _ = draw(cells.log_probability)
    taken = cells.index >= 0
    chosen[cells.index[taken]] = cells.contents[content][taken]
    sure[cells.index[taken]] = cells.chances(content)[taken].float()
    return chosen, sure


def decide_all(model: Model[LayoutT], batch: Batch[LayoutT], order: Order, logits: Tensor) -> tuple[Tensor, Tensor]:
    """`decide`, for the most probable values of all targets of an order, each from what its rank may see of the batch."""
    draw = partial(choose, temperature=0.0, top_p=1.0, generator=torch.Generator())
    return decide(model, batch, order.targets.cpu(), order.roles.cpu() == Role.CONTEXT, logits, draw)


def most_probable(model: Model[LayoutT], batch: Batch[LayoutT], order: Order) -> Tensor:
    """int64 ``[B, E]`` on the CPU: the most probable value of each target, the true value of everything else."""
    chosen, _ = decide_all(model, batch, order, ask(model, batch, order))
    return batch.values.cpu().masked_scatter(order.targets.cpu(), chosen)


def choose(logits: Tensor, temperature: float, top_p: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """One value per row of logits.

    Args:
        logits: ``[K, V]``.
        temperature, top_p: as in `SinglePass`; the temperature is applied before the nucleus is cut.
        generator: on the CPU; not used at temperature 0.

    Returns:
        int64 ``[K]``, the values, and float32 ``[K]``, the probability of each at temperature 1.

    Raises:
        ValueError: for a negative temperature, and a top_p that is not in (0, 1].
    """
    if temperature < 0 or not 0 < top_p <= 1:
        raise ValueError(f"temperature must be at least 0 and top_p must lie in (0, 1]; found {temperature} and {top_p}")
    probabilities = logits.float().softmax(dim=-1)
    if temperature == 0 or not len(logits):
        chosen = logits.argmax(dim=-1)
    else:
        tempered = nucleus((logits.float() / temperature).softmax(dim=-1), top_p)
        chosen = torch.multinomial(tempered, 1, generator=generator)[:, 0]
    return chosen, probabilities.gather(1, chosen[:, None])[:, 0]


def nucleus(probabilities: Tensor, top_p: float) -> Tensor:
    """The most probable values, as few as reach ``top_p`` together, the others at 0; ``[K, V]``, not normalised."""
    ordered, index = probabilities.sort(dim=-1, descending=True)
    outside = ordered.cumsum(dim=-1) - ordered >= top_p
    outside[..., 0] = False
    return probabilities.masked_fill(torch.zeros_like(outside).scatter_(-1, index, outside), 0.0)


def _fill(batch: Batch[Any], targets: Tensor, chosen: Tensor, probability: Tensor, logits: Tensor | None = None) -> Decoded:
    sure = torch.ones(targets.shape).masked_scatter(targets, probability)
    return Decoded(batch.values.cpu().masked_scatter(targets, chosen), sure, logits)


def _without_answers(batch: Batch[LayoutT], order: Order) -> tuple[Batch[LayoutT], Order]:
    """On the CPU, for several passes: the layout keeps nothing of what is asked for, since other values will stand there."""
    order = order.to("cpu")
    return Batch(batch.values.cpu(), batch.layout.to("cpu").without_details(order.targets)), order


def _most_confident(confidence: Tensor, open_: Tensor, number: Tensor) -> Tensor:
    """bool ``[B, E]``: in each row the ``number`` (int64 ``[B, 1]``) most confident open ones; of equals, the first."""
    order = torch.where(open_, -confidence, torch.inf).argsort(dim=1, stable=True)
    return (order.argsort(dim=1) < number) & open_
