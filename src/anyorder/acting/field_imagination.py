"""Open-loop imagination in any environment: from a history and a sequence of actions, the observations that the model expects.

The model is asked for each observation as in forward dynamics, from the last ones that it reads and the actions after them. The
answer is added to the history as if it had been seen. `anyorder.acting.imagination` does the same in grids.

Legend: N histories, H imagined steps, P' elements of an observation, V values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from anyorder.acting.field_policy import FieldHistory
from anyorder.acting.policy import passes
from anyorder.elements.fields import EncodedFields, collate_fields, frame_columns
from anyorder.elements.layout import Kind
from anyorder.elements.spec import Bins, Spec
from anyorder.inference.bin_answers import BinAnswers
from anyorder.inference.decoding import ask
from anyorder.masking.order import Role
from anyorder.masking.queries import ForwardDynamicsQuery
from anyorder.models.element.element_transformer import ElementTransformer

ChooseFlat = Callable[[Sequence[FieldHistory], int], Sequence[Mapping[str, np.ndarray]]]
"""From N histories and the number of the imagined step (0, 1, ...) to N actions, path -> array: they come from a plan
(`given_actions`), or from what was imagined so far, such as `FieldPolicy.flat_actions`."""


def given_actions(actions: Sequence[Mapping[str, np.ndarray]]) -> ChooseFlat:
    """A `ChooseFlat` that follows a plan: for each history, path -> array ``[H, ...]``."""
    return lambda histories, number: [{path: array[number] for path, array in plan.items()} for plan in actions]


@dataclass(frozen=True, eq=False)
class FieldImagined:
    """N histories, continued in the model's imagination.

    Attributes:
        values: int64 ``[N, H, P']``, the numbers of categories and of bins.
        numbers: float64 ``[N, H, P']``, of real numbers, in standard deviations from the mean; 0 of categories.
        histories: the N histories with all of this at their end, as if it had happened.
    """

    values: Tensor
    numbers: Tensor
    histories: list[FieldHistory]


def imagine_fields(
    model: ElementTransformer,
    histories: Sequence[FieldHistory],
    choose: ChooseFlat,
    horizon: int,
    generator: torch.Generator | None = None,
) -> FieldImagined:
    """Continue each history for ``horizon`` steps without the environment. The given histories are not changed.

    Args:
        model: trained to predict next observations, in evaluation mode.
        histories: of any lengths, each with at least one observation and its next action still open.
        choose: gives the actions.
        horizon: H, at least 1.
        generator: on the CPU; values are drawn from the model's distribution, numbers evenly within the drawn bin. None: the
            most probable category, the median of a number.

    Raises:
        ValueError: for a horizon below 1.
    """
    if horizon < 1:
        raise ValueError(f"the horizon must be at least 1 step; found {horizon}")
    branches, steps = [deepcopy(history) for history in histories], []
    for number in range(horizon):
        for branch, action in zip(branches, choose(branches, number)):
            branch.act(action)
        steps.append(_next_observations(model, branches, generator))
        for branch, values, numbers in zip(branches, *steps[-1]):
            branch.observe_encoded(values, numbers.float())
    values, numbers = (torch.stack(part, dim=1) for part in zip(*steps))
    return FieldImagined(values, numbers, branches)


def _next_observations(
    model: ElementTransformer, histories: Sequence[FieldHistory], generator: torch.Generator | None
) -> tuple[Tensor, Tensor]:
    """Values, int64, and numbers, float64, ``[N, P']`` each, of the observation after the last action of each history."""
    observed = frame_columns(model.spec).attribute[observation_columns(model.spec)]
    values = torch.zeros(len(histories), len(observed), dtype=torch.int64)
    numbers = torch.zeros(values.shape, dtype=torch.float64)
    for rows in passes([len(history) + 1 for history in histories]):
        chosen = [histories[row] for row in rows]
        batch = collate_fields([_with_open_frame(one, model.config.max_frames) for one in chosen], model.spec)
        last = torch.tensor([min(len(one), model.config.max_frames - 1) for one in chosen]) - 1
        order = ForwardDynamicsQuery(last)(batch.layout)
        roles = batch.layout.frame_shape.frames(order.roles)
        for row, one in enumerate(chosen):
            unseen = torch.stack(one.hidden[-(int(last[row]) + 1) :])
            seen = roles[row, : len(unseen)]
            seen[unseen & (seen == Role.CONTEXT)] = Role.HIDDEN
        logits = ask(model, batch, order).view(len(rows), len(observed), -1)
        values[rows], numbers[rows] = _answers(model.spec, observed, logits, generator)
    return values, numbers


def observation_columns(spec: Spec) -> Tensor:
    """int64 ``[P']``: where the elements of an observation lie in a frame."""
    return (frame_columns(spec).kind == Kind.OBSERVATION).nonzero()[:, 0]


def _with_open_frame(history: FieldHistory, max_frames: int) -> EncodedFields:
    """What the model reads of a history with all its actions, and one more frame, whose values nobody reads."""
    so_far = history.encoded(next_action=True)
    frames, numbers = (part[-(max_frames - 1) :] for part in (so_far.frames, so_far.frame_numbers))
    open_frame = torch.zeros_like(frames[-1:])
    return replace(
        so_far,
        frames=torch.cat([frames, open_frame]),
        frame_numbers=torch.cat([numbers, open_frame.float()]),
        num_actions=len(frames),
    )


def _answers(spec: Spec, observed: Tensor, logits: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
    """Values, int64, and numbers, float64, ``[N, P']`` each, for logits ``[N, P', V]`` of the fields ``observed``."""
    values, numbers = torch.zeros(logits.shape[:2], dtype=torch.int64), torch.zeros(logits.shape[:2], dtype=torch.float64)
    for column, number in enumerate(observed.tolist()):
        known = spec.fields[number].values
        own = logits[:, column, : len(known)].double()
        if generator is None:
            values[:, column] = own.argmax(dim=-1)
        else:
            values[:, column] = torch.multinomial(own.softmax(dim=-1), 1, generator=generator)[:, 0]
        if isinstance(known, Bins):
            if generator is None:
                found = BinAnswers.of(own, known).quantiles(0.5)[:, 0]
            else:
                within = torch.rand(len(own), generator=generator, dtype=torch.float64)
                found = known.low + (values[:, column] + within) * known.width
            values[:, column] = torch.from_numpy(known.numbers(found.numpy()))
            numbers[:, column] = (found - known.mean) / known.deviation
    return values, numbers
