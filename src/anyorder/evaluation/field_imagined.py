"""Imagination in any environment against what really happened, step by step into the future.

A model goes on from a prefix of a real episode with the actions that were really taken; nothing of what follows is shown to it.
It is compared with a copy of the last real observation and with a line through the last two.

Legend: N prefixes, H steps, F frames, P' elements of an observation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from rich.table import Table
from torch import Tensor

from anyorder.acting.field_imagination import given_actions, imagine_fields, observation_columns
from anyorder.acting.field_policy import FieldHistory
from anyorder.elements.fields import encode_fields, frame_columns
from anyorder.elements.spec import ABSENT, MOST_DEVIATIONS, Bins
from anyorder.evaluation.beginnings import Beginning
from anyorder.evaluation.field_scoring import named_together
from anyorder.evaluation.statistics import ItemSums, Measured
from anyorder.models.element.element_transformer import ElementTransformer
from anyorder.terminal import titled_table
from anyorder.types import FieldTrajectory

PREFIXES_IMAGINED_AT_ONCE = 64
IMAGINERS = ("model", "copy", "line")


class FieldPrefix(Beginning[FieldTrajectory]):
    """The beginning of an episode in any environment."""

    def history(self, model: ElementTransformer) -> FieldHistory:
        """The last observations up to ``start`` that the model reads, and the actions between them."""
        encoded = encode_fields(self.trajectory, model.spec)
        return FieldHistory.beginning(encoded, model.spec, self.start + 1, model.config.max_frames - 1)

    def actions(self, horizon: int) -> Mapping[str, np.ndarray]:
        """Path -> ``[H, ...]``: the actions from ``start`` on; after the end, the last one again."""
        steps = np.minimum(self.start + np.arange(horizon), len(self.trajectory) - 1)
        return {path: array[steps] for path, array in self.trajectory.actions.items()}


@dataclass(frozen=True)
class ImaginedScore:
    """How far imagination was off in one field or several.

    Attributes:
        num_categories, num_numbers: number of questions.
        accuracy: of categories: `IMAGINERS` but ``line`` -> share that was right; empty where there are none.
        root_mean_square: of numbers: `IMAGINERS` -> error in standard deviations of the training split; empty where there are
            none.
    """

    num_categories: int
    num_numbers: int
    accuracy: dict[str, Measured]
    root_mean_square: dict[str, Measured]


@dataclass(frozen=True)
class FieldHorizonScore:
    """Open-loop errors at one horizon.

    Attributes:
        horizon: number of steps ahead; 1 is the observation after the first imagined action.
        fields: scores by the names of fields, of groups of several fields, and ``all observations``.
    """

    horizon: int
    fields: dict[str, ImaginedScore]


def score_field_imagination(
    model: ElementTransformer,
    prefixes: Sequence[FieldPrefix],
    horizon: int,
    on_batch: Callable[[int], None] = lambda num_prefixes: None,
) -> list[FieldHorizonScore]:
    """Go on from each prefix with the true actions and compare with what happened, up to its episode's end.

    Args:
        model: in evaluation mode.
        prefixes: of any episodes, at least one.
        horizon: H, at least 1.
        on_batch: called with the number of prefixes of each batch, for progress bars.

    Returns:
        One score for each horizon 1..H that at least one episode reaches.
    """
    found = []
    for first in range(0, len(prefixes), PREFIXES_IMAGINED_AT_ONCE):
        batch = prefixes[first : first + PREFIXES_IMAGINED_AT_ONCE]
        plan = given_actions([prefix.actions(horizon) for prefix in batch])
        imagined = imagine_fields(model, [prefix.history(model) for prefix in batch], plan, horizon)
        answers = zip(batch, imagined.values, imagined.numbers)
        found += [_Errors.of(model, prefix, values, numbers) for prefix, values, numbers in answers]
        on_batch(len(batch))
    asked, right, square = (torch.stack(part) for part in zip(*((one.asked, one.right, one.square) for one in found)))
    fields = frame_columns(model.spec).attribute[observation_columns(model.spec)]
    scores = []
    for step in range(horizon):
        named = {}
        for name, numbers in named_together(model.spec):
            columns = torch.isin(fields, torch.tensor(numbers))
            if bool(asked[:, step, columns].any()):
                named[name] = _score(model, fields[columns], *(part[:, step][..., columns] for part in (asked, right, square)))
        if named:
            scores.append(FieldHorizonScore(step + 1, named))
    return scores


@dataclass(frozen=True, eq=False)
class _Errors:
    """Of one prefix: bool ``[H, P']``, what is asked; and of each of the `IMAGINERS`, ``[H, 3, P']``, whether it is right
    (bool), and squares of errors in standard deviations (float64)."""

    asked: Tensor
    right: Tensor
    square: Tensor

    @classmethod
    def of(cls, model: ElementTransformer, prefix: FieldPrefix, values: Tensor, numbers: Tensor) -> _Errors:
        """From what was imagined, ``[H, P']``."""
        encoded, columns, now = encode_fields(prefix.trajectory, model.spec), observation_columns(model.spec), prefix.start
        true_values, true_numbers = encoded.frames[:, columns], encoded.frame_numbers[:, columns].double()
        steps = torch.arange(1, len(values) + 1)
        at = (now + steps).clamp(max=len(true_values) - 1)
        there = (now + steps < len(true_values))[:, None] & (true_values[at] != ABSENT) & (true_values[now] != ABSENT)
        slope = true_numbers[now] - true_numbers[max(0, now - 1)]
        line = (true_numbers[now] + steps[:, None] * slope).clamp(-MOST_DEVIATIONS, MOST_DEVIATIONS)
        guesses = torch.stack([numbers, true_numbers[now].expand_as(line), line], dim=1)
        chosen = torch.stack([values, true_values[now].expand_as(values)], dim=1)
        right = chosen == true_values[at][:, None]
        return cls(there, torch.cat([right, right[:, 1:]], dim=1), (guesses - true_numbers[at][:, None]).square())


def _score(model: ElementTransformer, fields: Tensor, asked: Tensor, right: Tensor, square: Tensor) -> ImaginedScore:
    """Of some columns at one horizon: ``asked`` is bool ``[N, P'']``, the others ``[N, 3, P'']``; see `_Errors`."""
    real = torch.tensor([isinstance(model.spec.fields[number].values, Bins) for number in fields.tolist()])
    items = ItemSums(len(asked), np.random.default_rng(0))
    numbers, categories = (asked & real).double(), (asked & ~real).double()
    counts = [part.sum(dim=1).numpy() for part in (categories, numbers)]
    accuracy, errors = {}, {}
    for place, who in enumerate(IMAGINERS):
        if counts[0].any() and who != "line":
            accuracy[who] = items.share((right[:, place] * categories).sum(dim=1).numpy(), counts[0])
        if counts[1].any():
            errors[who] = items.ratio((square[:, place] * numbers).sum(dim=1).numpy(), counts[1]).map(np.sqrt)
    return ImaginedScore(int(counts[0].sum()), int(counts[1].sum()), accuracy, errors)


def field_imagination_table(scores: Sequence[FieldHorizonScore]) -> Table:
    """Errors and accuracy by horizon, beside the copy of the last real observation and the line through the last two."""
    columns = ("numbers", "RMS: model", "copy", "line", "categories", "right: model", "copy")
    title = "Open-loop imagination: errors in standard deviations and shares right, with 95% intervals"
    table = titled_table(title, "steps ahead", "of", *columns, right=("steps ahead", *columns))
    for score in scores:
        for name, one in score.fields.items():
            errors = [found.words() if who == "model" else f"{found.value:.3f}" for who, found in one.root_mean_square.items()]
            shares = [found.words("{:.1%}".format) for found in one.accuracy.values()]
            counts = [f"{count:,}" if count else "" for count in (one.num_numbers, one.num_categories)]
            table.add_row(str(score.horizon), name, counts[0], *(errors or [""] * 3), counts[1], *(shares or [""] * 2))
        table.add_section()
    return table
