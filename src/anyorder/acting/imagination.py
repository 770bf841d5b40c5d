"""Open-loop imagination: from a history and a sequence of actions, the observations that the model expects.

The model is asked for each observation in the way that forward dynamics are trained
(`anyorder.masking.queries.ForwardDynamicsQuery`): from everything seen and done before it. The answer is then added to the
history as if it had been seen, and the model is asked for the next observation.

Legend: N histories, H imagined steps, X columns and Y rows of a view, S = X * Y cells, P = 3S + 3 elements of a frame,
V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from anyorder.acting.policy import History, passes
from anyorder.elements.batch import Batch
from anyorder.elements.grid import Attribute, Encoded, GridLayout, collate
from anyorder.envs.minigrid import View
from anyorder.inference.decoding import Decoder, SinglePass
from anyorder.masking.order import Order, Role
from anyorder.masking.queries import ForwardDynamicsQuery
from anyorder.models.contract import GridModel

CELL_ATTRIBUTES = (Attribute.OBJECT, Attribute.COLOR, Attribute.STATE)

Choose = Callable[[Sequence[History], int], Sequence[int]]
"""From N histories and the number of the imagined step (0, 1, ...) to N actions: they come from a plan (`given`), or depend
on what was imagined so far."""


def given(actions: Sequence[Sequence[int]] | np.ndarray) -> Choose:
    """A `Choose` that follows a plan: ``actions`` are integers ``[N, H]``."""
    return lambda histories, number: [int(row[number]) for row in actions]


@dataclass(frozen=True, eq=False)
class Imagined:
    """N histories, continued in the model's imagination.

    Attributes:
        observations: uint8 ``[N, H, X, Y, 3]``, MiniGrid's (object, color, state).
        directions: uint8 ``[N, H]``.
        actions: int64 ``[N, H]``, the one before each observation.
        probability: float32 ``[N, H, 3S + 1]``, the probability of each chosen value when it was chosen: the cells'
            attributes, then the direction.
        histories: the N histories with all of this at their end, as if it had happened.
        logits: ``[N, H, 3S + 1, V]``, of the same elements; None where the decoder needs several passes.
    """

    observations: np.ndarray
    directions: np.ndarray
    actions: np.ndarray
    probability: np.ndarray
    histories: list[History]
    logits: Tensor | None


def imagine(
    model: GridModel,
    histories: Sequence[History],
    choose: Choose,
    horizon: int,
    decoder: Decoder = SinglePass(),
    generator: torch.Generator | None = None,
) -> Imagined:
    """Continue each history for ``horizon`` steps without the environment. The given histories are not changed.

    Args:
        model: a grid model that was trained to predict next observations, in evaluation mode.
        histories: of any lengths, each with at least one observation and its next action still open.
        choose: gives the actions, see `given`; it may ask a policy for them.
        horizon: H, at least 1.
        decoder: chooses the values of an observation; by default the most probable value of every element.
        generator: for a decoder that draws, on the CPU; None: seeded with 0. Histories go through the model longest first,
            several in a pass.

    Raises:
        ValueError: for a horizon below 1.
    """
    if horizon < 1:
        raise ValueError(f"the horizon must be at least 1 step; found {horizon}")
    branches = [deepcopy(history) for history in histories]
    generator = generator or torch.Generator().manual_seed(0)
    taken, steps = [], []
    for number in range(horizon):
        taken.append(np.asarray(choose(branches, number), dtype=np.int64))
        for branch, action in zip(branches, taken[-1].tolist()):
            branch.act(action)
        steps.append(next_observations(model, branches, decoder, generator))
        for branch, view in zip(branches, steps[-1].views(branches)):
            branch.observe(view)
    return Imagined(
        observations=np.stack([step.observations for step in steps], axis=1),
        directions=np.stack([step.directions for step in steps], axis=1),
        actions=np.stack(taken, axis=1),
        probability=np.stack([step.probability for step in steps], axis=1),
        histories=branches,
        logits=_stacked([step.logits for step in steps], dim=1),
    )


@dataclass(frozen=True, eq=False)
class NextObservations:
    """One imagined observation of each of N histories; see `Imagined`.

    Attributes:
        observations: uint8 ``[N, X, Y, 3]``.
        directions: uint8 ``[N]``.
        probability: float32 ``[N, 3S + 1]``.
        logits: ``[N, 3S + 1, V]``, or None.
    """

    observations: np.ndarray
    directions: np.ndarray
    probability: np.ndarray
    logits: Tensor | None

    def views(self, histories: Sequence[History]) -> Iterator[View]:
        """The observations as the environment would have shown them; their missions are those of the histories."""
        for image, direction, history in zip(self.observations, self.directions, histories):
            yield View(image, int(direction), history.mission)


def next_observations(
    model: GridModel, histories: Sequence[History], decoder: Decoder, generator: torch.Generator
) -> NextObservations:
    """The imagined observation after the last action of each history; arguments as in `imagine`. A model that reads so many
    observations is shown the last ones, and one less, since the imagined one is to be read as well."""
    if model.max_frames is not None:
        histories = [history.recent(model.max_frames - 1) for history in histories]
    values: list[Tensor] = [torch.empty(0)] * len(histories)
    probability = list(values)
    logits: list[Tensor | None] = [None] * len(histories)
    for chosen in passes([len(history) + 1 for history in histories]):
        batch, order = _question([histories[index] for index in chosen], model.view)
        answer = decoder(model, batch, order, generator)
        rows = [answer.values, answer.probability]
        found = [row[order.targets].view(len(chosen), -1) for row in rows]
        asked = None if answer.logits is None else answer.logits.view(len(chosen), found[0].shape[1], -1)
        for row, index in enumerate(chosen):
            values[index], probability[index] = found[0][row], found[1][row]
            logits[index] = None if asked is None else asked[row]
    raw = (torch.stack(values) - observation_offsets(model)).numpy().astype(np.uint8)
    return NextObservations(
        observations=raw[:, :-1].reshape(len(raw), *model.view, 3),
        directions=raw[:, -1],
        probability=torch.stack(probability).numpy(),
        logits=_stacked(logits),
    )


def _stacked(logits: Sequence[Tensor | None], dim: int = 0) -> Tensor | None:
    """All logits as one tensor; None where the decoder gave none."""
    found = [one for one in logits if one is not None]
    return torch.stack(found, dim) if found else None


def observation_offsets(model: GridModel) -> Tensor:
    """int64 ``[3S + 1]``: the first value of each element of an observation."""
    offsets, num_cells = model.vocabulary.offsets, model.view[0] * model.view[1]
    return torch.tensor([offsets[a] for a in CELL_ATTRIBUTES] * num_cells + [offsets[Attribute.DIRECTION]])


def _question(histories: Sequence[History], view: tuple[int, int]) -> tuple[Batch[GridLayout], Order]:
    """Histories with one more observation, and the order that asks for it; cells that cannot be trusted are HIDDEN."""
    batch = Batch(*collate([_with_open_frame(history.encoded()) for history in histories], *view))
    last = torch.tensor([len(history) for history in histories]) - 1
    order = ForwardDynamicsQuery(last)(batch.layout)
    roles = batch.layout.grid.frames(order.roles)
    for row, history in enumerate(histories):
        seen = roles[row, : len(history)]
        seen[history.unknown_elements() & (seen == Role.CONTEXT)] = Role.HIDDEN
    return batch, order


def _with_open_frame(encoded: Encoded) -> Encoded:
    """The same history with one more frame, whose values nobody reads."""
    return replace(encoded, frames=torch.cat([encoded.frames, encoded.frames[-1:]]))
